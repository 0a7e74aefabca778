//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A terminal console from which an operator on a bastion runs a whole high-availability cluster.
///
/// Without a subcommand the console opens.
#[derive(Debug, Parser)]
#[command(name = "vakt", version, about, after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Configuration file [default: $VAKT_CONFIG, $XDG_CONFIG_HOME/vakt/config.toml, /etc/vakt/config.toml]
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Send nothing that changes the cluster, whatever the configuration says
    #[arg(long, global = true)]
    pub(super) read_only: bool,
    /// Colours of the console [default: the configuration's; mono when NO_COLOR is set]
    #[arg(long, value_name = "THEME")]
    pub(super) theme: Option<Theme>,
    /// Draw with ASCII characters only
    #[arg(long)]
    pub(super) ascii: bool,
    /// Record into this new FILE instead of the folder of recordings, for `vakt replay`
    #[arg(long, value_name = "FILE", conflicts_with = "no_record")]
    pub(super) record: Option<PathBuf>,
    /// Record nothing
    #[arg(long)]
    pub(super) no_record: bool,
    /// Write a log of what vakt does into FILE
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// What to do instead of opening the console
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

const AFTER_HELP: &str = "\
Exit codes: 0 all is well · 1 the answer is complete and something in it is not well · 2 command line or \
configuration unusable · 3 vakt itself failed";

/// Colour themes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Theme {
    /// For dark terminals
    Dark,
    /// For light terminals
    Light,
    /// No colours
    Mono,
}

/// What vakt does besides the console.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the cluster once: nodes, load balancers, servers, what is wrong
    Status {
        /// Print JSON (documented in docs/status-json.md)
        #[arg(long)]
        json: bool,
        /// Print again after each interval until interrupted; with --json one document per line
        #[arg(long)]
        watch: bool,
        /// Wait at most this long for nodes that do not answer, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
        wait: f64,
    },
    /// Look at each node for what vakt needs: found, missing, what to do
    Check {
        /// Only these nodes
        #[arg(value_name = "NODE")]
        nodes: Vec<String>,
    },
    /// Print or examine configuration files
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Open the console on a recording; where there is no terminal, print its last screen
    Replay {
        /// A recording, or a folder of recordings: the newest one in it
        #[arg(value_name = "FILE|FOLDER")]
        path: PathBuf,
        /// Begin at this moment: 14:03:22, "2026-11-24 14:03", or 90s, 5m, 2h before the end
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        at: Option<String>,
        /// Print the last screen as it was seen, or that at --at
        #[arg(long)]
        last_screen: bool,
        /// Begin with the screen as it was seen, instead of a view of your own
        #[arg(long)]
        as_seen: bool,
        /// Write the screen as an SVG picture instead of text
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// Stop after this many messages
        #[arg(long, value_name = "COUNT")]
        until: Option<usize>,
        /// Draw at this size instead of the recorded one
        #[arg(long, value_name = "COLUMNSxROWS", value_parser = size)]
        size: Option<(u16, u16)>,
    },
}

/// Configuration files.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the complete, commented example
    Example,
    /// Print the path of the configuration in use
    Path,
    /// Read the configuration, report every problem, contact nothing
    Check,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let (width, height) = text.split_once('x').ok_or("write it as 120x40")?;
    let number = |text: &str| text.parse::<u16>().map_err(|_| format!("`{text}` is not a number of cells"));
    let (width, height) = (number(width)?, number(height)?);
    if width > 1000 || height > 1000 {
        return Err("at most 1000x1000".into());
    }
    Ok((width, height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!(size("120x40"), Ok((120, 40)));
        assert!(size("120").is_err());
        assert!(size("9999x1").is_err());
    }
}
