//! How far servers are, and how that is judged: in sets of transactions, in the words of either family.

use super::expect::unknown;
use crate::{
    model::{
        figure::{Figure, Unknown},
        ids::NodeName,
        mysql::{
            SwitchoverSample,
            gtid::{Gtids, Relation, relation_mariadb, relation_mysql},
        },
        text::Clean,
    },
    plan::expect::{Verdict, verdict},
};

pub(super) fn judge_still(
    sample: &SwitchoverSample,
    before: Option<&SwitchoverSample>,
    position: impl Fn(&SwitchoverSample) -> Figure<Gtids>,
) -> Verdict {
    match (position(sample), before.map(&position)) {
        (Figure::Unknown(why), _) => unknown("its position", why),
        (Figure::Known(now), Some(Figure::Known(then))) if now == then => {
            verdict(true, format!("stands still at {}", position_words(&now)))
        }
        (Figure::Known(now), Some(Figure::Known(_))) => verdict(false, format!("moved to {}", position_words(&now))),
        (Figure::Known(_), _) => verdict(false, "a second look is needed"),
    }
}

/// A position; a server that wrote nothing has none. The sources of a MySQL set are long: a line may break between them.
pub(in crate::plan) fn position_words(position: &Gtids) -> String {
    match position {
        none if none.is_empty() => "no transaction".to_owned(),
        Gtids::Mariadb(position) => position.to_string(),
        Gtids::Mysql(set) => set.to_string().replace(',', ", "),
    }
}

pub(super) fn judge_has(sample: &SwitchoverSample, theirs: Option<&SwitchoverSample>, node: &NodeName) -> Verdict {
    let Some(theirs) = theirs else { return Verdict::Unknown(Clean::line(&format!("{node} was not read"))) };
    match (sample.applied(), theirs.written()) {
        (Figure::Unknown(why), _) => unknown("its position", why),
        (_, Figure::Unknown(why)) => unknown(&format!("the position of {node}"), why),
        (Figure::Known(own), Figure::Known(wanted)) => {
            let words = format!("at {}, {node} at {}", position_words(&own), position_words(&wanted));
            verdict(own.reaches(&wanted), words)
        }
    }
}

/// Everything that has arrived at a server: received, applied, or written there.
pub(in crate::plan) fn arrived(sample: &SwitchoverSample) -> Figure<Gtids> {
    let channels = match &sample.channels {
        Figure::Known(channels) => channels,
        Figure::Unknown(why) => return Figure::Unknown(*why),
    };
    let both = |one: Gtids, other: &Gtids| one.union(other).map_or(Figure::Unknown(Unknown::Malformed), Figure::Known);
    let own = sample.written().and_then(|written| sample.applied().and_then(|applied| both(written, &applied)));
    channels.iter().fold(own, |all, channel| {
        all.and_then(|all| match &channel.received_gtids {
            Figure::Known(received) => both(all, received),
            // A receiver that never had a source has received nothing.
            Figure::Unknown(Unknown::Missing | Unknown::NothingHappened) => Figure::Known(all),
            Figure::Unknown(why) => Figure::Unknown(*why),
        })
    })
}

pub(super) fn judge_applied(sample: &SwitchoverSample) -> Verdict {
    match (sample.applied(), arrived(sample)) {
        (Figure::Unknown(why), _) => unknown("its position", why),
        (_, Figure::Unknown(why)) => unknown("what it has received", why),
        (Figure::Known(own), Figure::Known(wanted)) => {
            let words = format!("at {}, received {}", position_words(&own), position_words(&wanted.position()));
            verdict(own.reaches(&wanted), words)
        }
    }
}

pub(super) fn judge_received(sample: &SwitchoverSample, theirs: Option<&SwitchoverSample>, node: &NodeName) -> Verdict {
    let Some(theirs) = theirs else { return Verdict::Unknown(Clean::line(&format!("{node} was not read"))) };
    match (arrived(sample), arrived(theirs)) {
        (Figure::Unknown(why), _) => unknown("what it has received", why),
        (_, Figure::Unknown(why)) => unknown(&format!("what {node} has received"), why),
        (Figure::Known(own), Figure::Known(wanted)) => {
            let (here, there) = (position_words(&own.position()), position_words(&wanted.position()));
            verdict(own.reaches(&wanted), format!("received {here}, {node} {there}"))
        }
    }
}

pub(super) fn judge_beyond(sample: &SwitchoverSample, theirs: Option<&SwitchoverSample>, node: &NodeName) -> Verdict {
    let Some(theirs) = theirs else { return Verdict::Unknown(Clean::line(&format!("{node} was not read"))) };
    let relation = if sample.is_mysql() { beyond_of_mysql(sample, theirs) } else { beyond_of_mariadb(sample, theirs) };
    match relation {
        Ok(Relation::Diverged { words, .. }) => verdict(false, format!("has {words}, which {node} lacks")),
        Ok(_) => verdict(true, format!("has nothing that {node} lacks")),
        Err(Side::Own) => Verdict::Unknown("which transactions it has is unknown".into()),
        Err(Side::Other) => Verdict::Unknown(Clean::line(&format!("which transactions {node} has is unknown"))),
    }
}

/// Of whom something is unknown.
enum Side {
    Own,
    Other,
}

fn beyond_of_mariadb(sample: &SwitchoverSample, theirs: &SwitchoverSample) -> Result<Relation, Side> {
    let (own, state, server) = (&sample.state.current_pos, &sample.state.binlog_state, sample.settings.server_id);
    let (Figure::Known(own), Figure::Known(state), Figure::Known(server)) = (own, state, server) else {
        return Err(Side::Own);
    };
    let (Figure::Known(primary), Figure::Known(primary_server)) =
        (&theirs.state.binlog_state, theirs.settings.server_id)
    else {
        return Err(Side::Other);
    };
    // The two were not read at one moment: what the primary itself wrote since is no transaction that it lacks.
    let newer = state.union(own).of_server(primary_server);
    let received = theirs.settings.slave_pos.clone().known().unwrap_or_default();
    Ok(relation_mariadb(own, state, server, &primary.union(&newer), &received))
}

/// As above: what the primary itself wrote since it was read is nothing that it lacks.
fn beyond_of_mysql(sample: &SwitchoverSample, theirs: &SwitchoverSample) -> Result<Relation, Side> {
    let Figure::Known(own) = &sample.state.executed else { return Err(Side::Own) };
    let (Figure::Known(primary), Figure::Known(purged), Figure::Known(uuid)) =
        (&theirs.state.executed, &theirs.state.purged, theirs.uuid())
    else {
        return Err(Side::Other);
    };
    Ok(relation_mysql(own, primary, purged, &[uuid]))
}

/// MariaDB does not tell what it has thrown away: whoever asks for it finds out.
pub(super) fn judge_finds_all(
    sample: &SwitchoverSample,
    theirs: Option<&SwitchoverSample>,
    node: &NodeName,
) -> Verdict {
    let Some(theirs) = theirs else { return Verdict::Unknown(Clean::line(&format!("{node} was not read"))) };
    let own = &sample.state.executed;
    let (Figure::Known(own), Figure::Known(purged)) = (own, &theirs.state.purged) else {
        return Verdict::Unknown(Clean::line(&format!("what {node} has thrown away is unknown")));
    };
    match purged.subtract(own).words() {
        None => verdict(true, format!("all that it lacks is in the binary logs of {node}")),
        Some(words) => verdict(false, format!("lacks {words}, in no binary log of {node} any more")),
    }
}
