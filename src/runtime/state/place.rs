//! Where the state folder is, and who says so.

use super::trouble::StateTrouble;
use rustix::fs::{Access, access};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The folder that all operators of a bastion share, where an administrator has made it.
pub(super) const SYSTEM: &str = "/var/lib/vakt";

/// A folder, and how it was found, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub path: PathBuf,
    /// Who named it.
    pub found: Found,
}

/// Who named the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// `--state`.
    Flag,
    /// `$VAKT_STATE`.
    Environment,
    /// `[state] directory` of the configuration.
    Configuration,
    /// It is there, and this user may write into it.
    System,
    /// The user's own.
    Home,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "--state",
            Self::Environment => "$VAKT_STATE",
            Self::Configuration => "the configuration",
            Self::System => "the system",
            Self::Home => "your home folder",
        })
    }
}

/// What the place is sought by. A value, so that tests do not depend on who runs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// `--state`.
    pub flag: Option<PathBuf>,
    /// `$VAKT_STATE`.
    pub environment: Option<PathBuf>,
    /// `[state] directory`.
    pub configured: Option<PathBuf>,
    /// The folder that the bastion's operators share, if there is one.
    pub system: PathBuf,
    /// `$XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
}

impl Sought {
    /// By this process: its command line, its environment, its configuration.
    pub fn by_this_process(flag: Option<&Path>, configured: Option<&Path>) -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            flag: flag.map(Path::to_path_buf),
            environment: variable("VAKT_STATE"),
            configured: configured.map(Path::to_path_buf),
            system: SYSTEM.into(),
            // The specification wants relative paths ignored.
            xdg_state_home: variable("XDG_STATE_HOME").filter(|path| path.is_absolute()),
            home: variable("HOME"),
        }
    }

    /// The first place that is named, or the system's where it can be used, or the user's own.
    pub fn place(self) -> Result<Place, StateTrouble> {
        let named =
            [(self.flag, Found::Flag), (self.environment, Found::Environment), (self.configured, Found::Configuration)];
        for (path, found) in named {
            if let Some(path) = path {
                let path = std::path::absolute(&path).map_err(StateTrouble::io("find", path))?;
                return Ok(Place { path, found });
            }
        }
        if self.system.is_dir() && access(&self.system, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
            return Ok(Place { path: self.system, found: Found::System });
        }
        let own = self.xdg_state_home.or_else(|| Some(self.home?.join(".local/state")));
        let path = own.ok_or(StateTrouble::NoPlace)?.join("vakt");
        Ok(Place { path, found: Found::Home })
    }
}
