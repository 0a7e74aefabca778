//! Where the configuration file may be.

use super::EXAMPLE_COMMAND;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What of the environment decides where the file is. Empty variables count as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvInput {
    /// `$VAKT_CONFIG`.
    pub vakt_config: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
}

/// A place where the file may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Who says so: "--config", "$VAKT_CONFIG".
    pub source: &'static str,
}

/// No place has a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    /// Every place looked at, in order.
    pub places: Vec<Place>,
}

impl std::error::Error for NotFound {}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no configuration file. Looked at:")?;
        for place in &self.places {
            writeln!(f, "  {} ({})", place.path.display(), place.source)?;
        }
        let first = self.places.first().map(|place| place.path.as_path());
        let target = first.unwrap_or_else(|| Path::new("vakt.toml"));
        if let Some(folder) = target.parent() {
            writeln!(f, "To make one:")?;
            writeln!(f, "  mkdir -p {}", folder.display())?;
        }
        write!(f, "  {EXAMPLE_COMMAND} > {}", target.display())
    }
}

/// The configuration file: `--config`, `$VAKT_CONFIG`, the user's, the system's.
///
/// What is named explicitly is taken whether it exists or not: falling through to another file would watch another
/// cluster than the one the operator named.
pub fn find(explicit: Option<&Path>, env: &EnvInput, exists: impl Fn(&Path) -> bool) -> Result<Place, NotFound> {
    let given = |path: Option<&Path>, source| {
        path.filter(|path| !path.as_os_str().is_empty()).map(|path| Place { path: path.to_owned(), source })
    };
    if let Some(place) = given(explicit, "--config").or_else(|| given(env.vakt_config.as_deref(), "$VAKT_CONFIG")) {
        return Ok(place);
    }
    let mut places = Vec::new();
    // The XDG specification has relative paths ignored.
    if let Some(folder) = env.xdg_config_home.as_deref().filter(|path| path.is_absolute()) {
        places.push(Place { path: folder.join("vakt/config.toml"), source: "$XDG_CONFIG_HOME" });
    } else if let Some(home) = env.home.as_deref().filter(|path| !path.as_os_str().is_empty()) {
        places.push(Place { path: home.join(".config/vakt/config.toml"), source: "~/.config" });
    }
    places.push(Place { path: "/etc/vakt/config.toml".into(), source: "the system's" });
    match places.iter().find(|place| exists(&place.path)) {
        Some(place) => Ok(place.clone()),
        None => Err(NotFound { places }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vakt: Option<&str>, xdg: Option<&str>, home: Option<&str>) -> EnvInput {
        EnvInput { vakt_config: vakt.map(Into::into), xdg_config_home: xdg.map(Into::into), home: home.map(Into::into) }
    }

    fn found(explicit: Option<&str>, env: &EnvInput, files: &[&str]) -> Option<String> {
        let exists = |path: &Path| files.iter().any(|file| Path::new(file) == path);
        find(explicit.map(Path::new), env, exists).ok().map(|place| place.path.display().to_string())
    }

    #[test]
    fn the_first_place_wins() {
        let all = env(Some("/v.toml"), Some("/x"), Some("/h"));
        let files =
            ["/c.toml", "/v.toml", "/x/vakt/config.toml", "/h/.config/vakt/config.toml", "/etc/vakt/config.toml"];
        assert_eq!(found(Some("/c.toml"), &all, &files).as_deref(), Some("/c.toml"));
        assert_eq!(found(None, &all, &files).as_deref(), Some("/v.toml"));
        assert_eq!(found(None, &env(None, Some("/x"), Some("/h")), &files).as_deref(), Some("/x/vakt/config.toml"));
        assert_eq!(
            found(None, &env(Some(""), None, Some("/h")), &files).as_deref(),
            Some("/h/.config/vakt/config.toml")
        );
        assert_eq!(found(None, &env(None, Some("rel"), None), &files).as_deref(), Some("/etc/vakt/config.toml"));
    }

    #[test]
    fn a_named_file_is_never_replaced_by_another() {
        let all = env(Some("/v.toml"), None, Some("/h"));
        assert_eq!(found(Some("/gone.toml"), &all, &["/v.toml"]).as_deref(), Some("/gone.toml"));
        assert_eq!(found(None, &all, &["/etc/vakt/config.toml"]).as_deref(), Some("/v.toml"));
    }

    #[test]
    fn nothing_found_lists_every_place_and_how_to_make_one() {
        let error = find(None, &env(None, None, Some("/home/eva")), |_| false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no configuration file. Looked at:\n  \
             /home/eva/.config/vakt/config.toml (~/.config)\n  \
             /etc/vakt/config.toml (the system's)\n\
             To make one:\n  \
             mkdir -p /home/eva/.config/vakt\n  \
             vakt config example > /home/eva/.config/vakt/config.toml"
        );
    }
}
