//! Plans and refusals of a rejoin.

use super::{golden, planned, refused};
use crate::run::cluster::Cluster;
use vakt::{
    model::{figure::Figure, haproxy::AdminState, mysql::DaemonState},
    plan::{Planned, ReasonKind},
};

const REJOIN: &str = "mysql.rejoin db01";

/// db01 was given up: db02 is the primary, db03 follows it, and both have written since.
pub(crate) fn fenced() -> Cluster {
    let mut cluster = Cluster::with_databases()
        .with("db01", |server| (server.told, server.sessions) = (AdminState::Maint, 0))
        .with("db02", |server| server.told = AdminState::Ready);
    let old = cluster.database("db01");
    (old.masked, old.daemon, old.read_only) = (true, DaemonState::Dead, true);
    for name in ["db02", "db03"] {
        let database = cluster.database(name);
        database.state.insert(32, 240);
        database.received.insert(32, 240);
    }
    let primary = cluster.database("db02");
    (primary.read_only, primary.source) = (false, None);
    cluster.database("db03").source = Some("10.10.0.32");
    cluster
}

/// The same, and somebody has started it: read-only, as its file says.
pub(crate) fn running() -> Cluster {
    let mut cluster = fenced();
    let old = cluster.database("db01");
    (old.masked, old.daemon, old.read_only) = (false, DaemonState::Alive, true);
    cluster
}

type Change = fn(&mut Cluster);

fn with(mut cluster: Cluster, change: Change) -> Cluster {
    change(&mut cluster);
    cluster
}

/// Everybody has cut it off.
pub(crate) fn cut_off(mut cluster: Cluster) -> Cluster {
    for node in ["lb01", "lb02", "db02", "db03"] {
        cluster.cuts.put(node, 1_795_442_000);
    }
    cluster
}

#[test]
fn every_refusal_of_a_rejoin_reads_as_it_should_and_names_its_cure() {
    use ReasonKind as Kind;
    let cases: [(&str, Cluster, &str, &[Kind]); 10] = [
        ("refused_rejoin_unknown", fenced(), "mysql.rejoin web03", &[Kind::UnknownTarget]),
        (
            "refused_rejoin_diverged",
            with(running(), |cluster| _ = cluster.database("db01").state.insert(31, 209)),
            REJOIN,
            &[Kind::Diverged],
        ),
        ("refused_rejoin_itself", Cluster::with_databases(), REJOIN, &[Kind::Serves]),
        (
            "refused_rejoin_two",
            with(running(), |cluster| cluster.database("db01").read_only = false),
            REJOIN,
            &[Kind::SplitBrain],
        ),
        (
            "refused_rejoin_no_primary",
            with(fenced(), |cluster| cluster.database("db02").read_only = true),
            REJOIN,
            &[Kind::SplitBrain],
        ),
        ("refused_rejoin_dark", with(fenced(), |cluster| cluster.vanish("db01")), REJOIN, &[Kind::StaleFacts]),
        (
            "refused_rejoin_dead",
            with(fenced(), |cluster| cluster.database("db01").masked = false),
            REJOIN,
            &[Kind::NoService],
        ),
        (
            "refused_rejoin_mysql_diverged",
            with(running().speaking_mysql(), |cluster| _ = cluster.database("db01").state.insert(31, 209)),
            REJOIN,
            &[Kind::Diverged],
        ),
        (
            "refused_rejoin_mysql_purged",
            with(running().speaking_mysql(), |cluster| {
                let purged = crate::run::mysql::set(&[(31, 207), (32, 220)].into());
                cluster.database("db02").base.state.purged = Figure::Known(purged);
            }),
            REJOIN,
            &[Kind::NotFit],
        ),
        (
            "refused_rejoin_not_admitted",
            with(fenced(), |cluster| {
                cluster.database("db02").base.replicators = Figure::Known(Vec::new());
            }),
            REJOIN,
            &[Kind::NoWay],
        ),
    ];
    for (name, cluster, line, kinds) in cases {
        refused(name, &cluster, line, kinds);
    }
}

#[test]
fn a_replica_of_the_primary_is_there_already() {
    let planned = planned(&Cluster::with_databases(), "mysql.rejoin db02");
    assert!(matches!(planned, Ok(Planned::AlreadyThere(_))), "{}", super::render(&planned, 120));
    golden("already_rejoined", &planned);
}
