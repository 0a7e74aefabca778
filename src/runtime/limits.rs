//! Limits of this process. One connection costs a file descriptor; a thousand nodes need a thousand.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard limit. Best effort: a refusal changes nothing.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if setrlimit(Resource::Nofile, wanted).is_err() {
            tracing::warn!("open files limit stays at {:?}", limit.current);
        }
    }
}
