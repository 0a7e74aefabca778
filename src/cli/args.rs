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
    /// Record everything the console sees and does into FILE, for `vakt replay`
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
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
    /// Open the console on a simulated cluster: no root, no daemons, no configuration
    Demo(DemoWanted),
    /// Draw the last screen of a recording made with --record
    Replay {
        /// The recording
        file: PathBuf,
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

/// Which simulated cluster, and how.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DemoWanted {
    /// One of `vakt demo --list`, or a file of your own that ends in .toml [default: seed]
    #[arg(conflicts_with = "nodes")]
    pub(super) scenario: Option<String>,
    /// A cluster of this many machines, two load balancers for every hundred
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(3..=2000))]
    pub(super) nodes: Option<u16>,
    /// Print the scenarios and end
    #[arg(long)]
    pub(super) list: bool,
    /// Let the cluster's time pass this many times as fast
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(super) speed: f64,
    /// Decides when clients come and how long they stay: the same seed gives the same cluster
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,
    /// Print the status once instead of opening the console, as `vakt status` does
    #[arg(long)]
    pub(super) once: bool,
    /// With --once: print JSON (documented in docs/status-json.md)
    #[arg(long, requires = "once")]
    pub(super) json: bool,
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
