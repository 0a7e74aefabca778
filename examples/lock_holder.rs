//! Holds the bastion's lock and the journal of a run until its standard input ends: the other process of the tests.
//!
//! `lock_holder DIR CLUSTER RUN` prints `held`, or why not.

#![expect(clippy::print_stdout, reason = "a test reads it")]

use std::io::Read;
use vakt::{
    model::{ids::ClusterName, time::Wall},
    plan::PlanId,
    run::lock::Holder,
    runtime::state::{BastionLock, Found, Place, StateDir, bastion, operator},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [_, folder, cluster, run]: [String; 4] =
        std::env::args().collect::<Vec<_>>().try_into().map_err(|_| "lock_holder DIR CLUSTER RUN")?;
    let place = Place { path: folder.into(), found: Found::Flag };
    let state = StateDir::open(&place, &ClusterName::new(cluster))?;
    let run = PlanId::from(run);
    let holder = Holder {
        operator: operator(),
        bastion: bastion(),
        process: std::process::id(),
        run: run.clone(),
        what: "holds the lock for a test".into(),
        since: Wall(0),
    };
    match BastionLock::take(&state, &holder) {
        Ok(_lock) => {
            let _journal = state.begin_run(&run)?;
            println!("held");
            std::io::stdin().read_to_end(&mut Vec::new())?;
        }
        Err(held) => println!("{held}"),
    }
    Ok(())
}
