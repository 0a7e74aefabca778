//! Whether and where the console records.

use super::{Stop, args::Args, output};
use crate::{
    app::Options,
    model::{inventory::Inventory, text::Clean, time::Now},
    runtime::{
        recorder::{Bounds, Recorder, Settings, Target, recording_name},
        runs::Desk,
        state::StateDir,
    },
};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;

/// A recorder, unless none is wanted; without a file of its own it writes into the desk's state folder. Only a file that was asked for by name and cannot be used stops the console.
pub(super) fn start(
    args: &Args,
    inventory: &Arc<Inventory>,
    options: &Options,
    desk: &Desk,
    started: Now,
) -> Result<Option<Recorder>, Stop> {
    let settings = &inventory.settings.recorder;
    let target = match &args.record {
        _ if args.no_record => return Ok(None),
        Some(file) => Target::file(file).map_err(|error| {
            Stop::usage(format!(
                "vakt: cannot record into {}: {error}; name a file that does not exist yet",
                file.display()
            ))
        })?,
        // A demo's state folder is gone with the demo.
        None if !settings.enabled || desk.simulation.is_some() => return Ok(None),
        None => {
            let folder =
                |state: StateDir| state.recordings_folder().map_err(|trouble| Clean::line(&trouble.to_string()));
            let path = match desk.state().and_then(folder) {
                Ok(path) => path,
                Err(why) => {
                    output::note(&format!("vakt: nothing is recorded: {why}"));
                    return Ok(None);
                }
            };
            let bounds = Bounds {
                total_bytes: settings.total_mib.saturating_mul(1024 * 1024),
                age_ms: settings.age_days.saturating_mul(24 * 3_600_000),
            };
            Target::Folder { path, bounds }
        }
    };
    let mask_key = if settings.mask { Some(key()?) } else { None };
    let settings = Settings {
        target,
        name: recording_name(started, std::process::id()),
        mask_key,
        chapter_ms: settings.segment_s.saturating_mul(1000),
    };
    let recorder = Recorder::start(settings, inventory, options);
    recorder.map(Some).map_err(|error| Stop::failed(format!("vakt: cannot start the recorder: {error}")))
}

fn key() -> Result<[u8; 16], Stop> {
    let mut key = [0; 16];
    let filled = SystemRandom::new().fill(&mut key);
    filled.map_err(|_| Stop::failed("vakt: this machine gives no random numbers, and masking needs some"))?;
    Ok(key)
}
