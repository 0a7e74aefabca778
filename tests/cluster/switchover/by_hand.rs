//! The same switchover by hand, for comparison: what an operator would type, one command after the other, in the order of
//! the plan. Each command is a process of its own, as in a script that somebody keeps for that night.

use super::{
    family,
    scene::{self, BALANCERS, DATABASES, sql},
};

/// The primary becomes another one, under whatever load there is.
pub(super) fn switch(from: &str, to: &str) {
    let host = |wanted: &str| DATABASES.iter().find(|(node, _)| *node == wanted).unwrap().1;
    // Before anything is frozen: the others follow the candidate, so that nobody has to move behind the freeze.
    for (node, _) in DATABASES.iter().filter(|(node, _)| *node != from && *node != to) {
        family::follow(node, host(to));
    }
    family::wait_for_all_of(to, from);
    sql(from, family::at_rest());
    family::wait_for_all_of(to, from);
    scene::send_nothing_to(from);
    sql(to, family::forget());
    sql(to, family::in_service());
    for balancer in BALANCERS {
        scene::send_to(balancer, to);
    }
    family::follow(from, host(to));
}
