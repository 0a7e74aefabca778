//! `ovs-appctl dpif/show`: datapaths, in each its bridges, in each its ports; told apart by how far a line is indented.

use super::{Answer, ROWS_MAX, Understood};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ovs_daemon::{Datapath, DatapathBridge, DatapathPort},
        text::Clean,
    },
    wire::complaints::Complaints,
};

/// Every datapath, in the daemon's order; none when there is no bridge.
pub fn datapaths(bytes: &[u8]) -> Understood<Datapath> {
    let mut answer = Answer::new("dpif/show", bytes);
    let text = std::mem::take(&mut answer.text);
    let mut datapaths: Vec<Datapath> = Vec::new();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    for (rows, line) in lines.enumerate() {
        if rows >= ROWS_MAX {
            answer.complaints.add("dpif/show", format!("only {ROWS_MAX} lines are looked at"));
            break;
        }
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        let understood = match (indent, datapaths.last_mut()) {
            (0, _) => datapath(line, &mut answer.complaints).map(|datapath| datapaths.push(datapath)),
            (2, Some(datapath)) => line
                .strip_suffix(':')
                .map(|name| datapath.bridges.push(DatapathBridge { name: Clean::line(name), ports: Vec::new() })),
            (_, Some(datapath)) => datapath
                .bridges
                .last_mut()
                .and_then(|bridge| port(line, &mut answer.complaints).map(|port| bridge.ports.push(port))),
            (_, None) => None,
        };
        if understood.is_none() {
            answer.complaints.add("dpif/show", format!("a line that is not understood: {line}"));
        }
    }
    let something = !datapaths.is_empty() || text.trim().is_empty();
    (something.then_some(datapaths), answer.complaints.finish())
}

/// `netdev@ovs-netdev: hit:97 missed:220`
fn datapath(line: &str, complaints: &mut Complaints) -> Option<Datapath> {
    let (name, counters) = line.split_once(": ")?;
    let hits_and_misses = counters.strip_prefix("hit:")?.split_once(" missed:")?;
    Some(Datapath {
        name: Clean::line(name),
        hits: complaints.number("dpif/show hit", hits_and_misses.0),
        misses: complaints.number("dpif/show missed", hits_and_misses.1),
        bridges: Vec::new(),
    })
}

/// `int-phy 1/none: (patch: peer=phy-int)`
fn port(line: &str, complaints: &mut Complaints) -> Option<DatapathPort> {
    let (head, kind) = line.split_once(": (")?;
    let (name, numbers) = head.rsplit_once(' ')?;
    let (ofport, number) = numbers.split_once('/')?;
    let kind = kind.strip_suffix(')')?;
    Some(DatapathPort {
        name: Clean::line(name),
        ofport: complaints.number("dpif/show number", ofport),
        datapath_number: match number {
            "none" => Figure::Known(None),
            "" => Figure::Unknown(Unknown::Missing),
            number => complaints.number("dpif/show number", number).map(Some),
        },
        kind: Clean::line(kind.split_once(':').map_or(kind, |(word, _)| word)),
    })
}
