//! Whether and where the console records.

use super::{Stop, args::Args, environment, output};
use crate::{
    app::Options,
    model::{inventory::Inventory, time::Now},
    runtime::recorder::{Bounds, Recorder, Settings, Target, recording_name},
};
use ring::rand::{SecureRandom, SystemRandom};
use std::{path::PathBuf, sync::Arc};

/// A recorder, unless none is wanted. Only a file that was asked for by name and cannot be used stops the console.
pub(super) fn start(
    args: &Args,
    inventory: &Arc<Inventory>,
    options: &Options,
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
        None if !settings.enabled => return Ok(None),
        None => {
            let Some(path) = folder(inventory) else {
                output::note("vakt: nothing is recorded: neither $XDG_STATE_HOME nor $HOME says where");
                return Ok(None);
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

/// `recordings` in the state folder of this cluster.
fn folder(inventory: &Inventory) -> Option<PathBuf> {
    let absolute = |name: &str| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("vakt").join(inventory.cluster.as_str()).join("recordings"))
}

fn key() -> Result<[u8; 16], Stop> {
    let mut key = [0; 16];
    let filled = SystemRandom::new().fill(&mut key);
    filled.map_err(|_| Stop::failed("vakt: this machine gives no random numbers, and masking needs some"))?;
    Ok(key)
}
