//! Settings of a node: the kernel's values and files, the option files of a database server, the server's own word, and the
//! files of HAProxy.
//!
//! Nothing of it moves by itself, so it is asked rarely, and at once when somebody looks. By which limits HAProxy runs `haproxy`
//! tells.

mod files;
mod haproxy_files;
pub mod kernel;

use super::{
    complaints::Complaints,
    mysql,
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request},
};
use crate::model::{
    figure::{Figure, Unknown},
    inventory::Node,
    tuning::TuningSample,
};
use std::{borrow::Cow, sync::LazyLock};

/// Longest answer of the script, bytes.
const CAP_BYTES: usize = 128 * 1024;
/// How an answer of the script begins.
const HEAD: &[u8] = b"settings:";

/// By what a node has: neither, a database, HAProxy, both.
static SCRIPTS: LazyLock<[String; 4]> = LazyLock::new(|| {
    [(false, false), (true, false), (false, true), (true, true)]
        .map(|(has_database, has_haproxy)| files::script(has_database, has_haproxy))
});

fn script(node: &Node) -> &'static str {
    &SCRIPTS[usize::from(node.database.is_some()) + 2 * usize::from(node.haproxy_socket.is_some())]
}

/// The settings of the catalogue.
#[derive(Debug)]
pub struct TuningProbe;

impl TuningProbe {
    /// Whether `call` is the script that this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::Shell { script } if SCRIPTS.iter().any(|own| own == script.as_ref()))
    }
}

impl Probe for TuningProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        let files = Request::read(Call::Shell { script: Cow::Borrowed(script(node)) }, deadline_ms, CAP_BYTES);
        std::iter::once(files).chain(mysql::tuning::values(node, deadline_ms)).collect()
    }

    fn follow(&self, node: &Node, deadline_ms: u64, replies: &[Reply]) -> Vec<Request> {
        match replies {
            [_, values] if node.database.is_some() => {
                mysql::tuning::details(node, deadline_ms, std::slice::from_ref(values)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let mut complaints = Complaints::default();
        let (of_script, of_server): (Vec<&Reply>, Vec<&Reply>) =
            replies.iter().partition(|reply| reply.bytes.starts_with(HEAD));
        let of_server: Vec<Reply> = of_server.into_iter().cloned().collect();
        let (answers, odd) = mysql::answers(&of_server);
        answers.complain(&mut complaints);
        let server = mysql::tuning::read(&answers, &mut complaints);
        let mut sample =
            TuningSample { dialect: server.dialect, variables: server.variables, ..TuningSample::default() };
        if let Some(reply) = of_script.first() {
            files::read(&reply.bytes, &server.version, &mut sample, &mut complaints);
        } else {
            // A run asks the server alone.
            let unread = Figure::Unknown(Unknown::NotReadYet);
            sample.kernel = Figure::Unknown(Unknown::NotReadYet);
            (sample.kernel_files, sample.option_files) = (unread.clone(), unread);
            sample.haproxy = Figure::Unknown(Unknown::NotReadYet);
        }
        let nothing = of_script.is_empty() && sample.variables.why().is_some();
        let mut complaints = complaints.finish();
        // Nodes without a database send no such answers: their absence is nothing odd.
        complaints.extend(odd);
        ((!nothing).then(|| Facts::Tuning(Box::new(sample))), complaints)
    }

    /// Only lines that name a setting leave a file.
    fn holds_statements(&self) -> bool {
        false
    }
}
