//! The command line.

use super::runs::RunsCommand;
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
    /// Folder of journals and locks [default: $VAKT_STATE, the configuration, /var/lib/vakt, ~/.local/state/vakt]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
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
configuration unusable · 3 vakt itself failed · 4 refused, nothing was sent · 5 rolled back · 6 stopped · 7 needs an \
operator. `vakt status --check` has its own: 0 ok · 1 warning · 2 critical · 3 unknown";

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
        /// Print one line for a monitoring system, and end with 0 ok, 1 warning, 2 critical, 3 unknown
        #[arg(long, conflicts_with_all = ["json", "watch"])]
        check: bool,
        /// Watch this long before answering, in seconds: figures that move are findings once they hold
        #[arg(long = "for", value_name = "SECONDS", default_value_t = 0.0)]
        watched: f64,
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
    /// Show settings side by side: how they run, what files say, defaults, and what is advised
    ///
    /// docs/tuning.md tells the reasoning for each. `vakt do tune.set` changes one.
    Tune {
        /// Only these nodes, or nodes with these roles
        #[arg(value_name = "NODE|ROLE")]
        nodes: Vec<String>,
        /// Print JSON, with the reasoning
        #[arg(long)]
        json: bool,
    },
    /// Show what helps now when more comes than the cluster bears, each move with its effect
    ///
    /// Nothing is changed: each move is a line for `vakt do`, which plans it and asks.
    Playbook {
        /// Put first what is about this backend, frontend or node
        #[arg(value_name = "SUBJECT")]
        about: Option<String>,
        /// Print JSON (documented in docs/playbook-json.md)
        #[arg(long)]
        json: bool,
    },
    /// Explain configuration files line by line, and say what we would change
    ///
    /// haproxy.cfg, and option files of MySQL and MariaDB. Only that file is read, no node: ssh lb01 cat
    /// /etc/haproxy/haproxy.cfg | vakt explain -
    Explain {
        /// Files; - is standard input
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// What the machine of the database has: 8G
        #[arg(long, value_name = "SIZE")]
        memory: Option<String>,
        /// Print JSON: files[].{kind,lines[],remarks[]}
        #[arg(long)]
        json: bool,
    },
    /// Change something: plan it, show the plan, ask, carry it out
    ///
    /// The plan is printed first, complete; nothing is sent before it is confirmed. What is refused is refused with
    /// every reason. ACTION is one of haproxy.drain, haproxy.ready, haproxy.maint, haproxy.weight,
    /// haproxy.kill-sessions, whose TARGET is backend/server; vip.move, whose TARGET is an address;
    /// mysql.switchover and mysql.failover, which have none; mysql.fence and mysql.rejoin, whose TARGET is a node; mysql.kill,
    /// whose TARGET is node/number of a session; vm.suspend, vm.resume, vm.start, vm.shutdown, vm.reset, vm.migrate, whose TARGET is
    /// a guest of a hypervisor; or tune.set, whose TARGET is a node or role (of a setting
    /// of a port, NODE/PORT), followed by a setting and its value.
    Do(DoWanted),
    /// Look at runs: changes that were made, are being made, or were interrupted; take them up again
    Runs {
        /// Without it, the newest runs are listed
        #[command(subcommand)]
        command: Option<RunsWanted>,
    },
    /// Carry one run out; vakt starts it by itself, with the job on standard input
    #[command(hide = true)]
    Execute,
    /// Print or examine configuration files
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Open the console on a simulated cluster: no root, no daemons, no configuration
    Demo(DemoWanted),
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

/// What `vakt do` is to do.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option of the command line")]
pub(super) struct DoWanted {
    /// Action and target: haproxy.drain web_cluster/web03, vip.move 10.10.0.100, mysql.failover, mysql.rejoin db01,
    /// mysql.kill db01/4711, vm.start web04, node.drain web03, or tune.set db01 max_connections 300
    #[arg(required = true, value_name = "ACTION TARGET", allow_negative_numbers = true)]
    pub(super) words: Vec<String>,
    /// How long sessions may take to end, a check to pass, or a guest to shut down [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub(super) deadline: Option<String>,
    /// What happens to sessions that are left at the deadline: keep, maint, maint+close [default: keep]; with node.drain:
    /// wait, force, abort [default: wait]
    #[arg(long, value_name = "POLICY")]
    pub(super) on_deadline: Option<String>,
    /// The weight, from 0 to 256
    #[arg(long, value_name = "WEIGHT")]
    pub(super) weight: Option<String>,
    /// The node that takes over
    #[arg(long, value_name = "NODE")]
    pub(super) to: Option<String>,
    /// What of a session ends: session, statement [default: session]
    #[arg(long, value_name = "PART")]
    pub(super) only: Option<String>,
    /// tune.set: the value also stands in the file that counts, so that a restart brings it
    #[arg(long)]
    pub(super) persist: bool,
    /// tune.set: the file is again what it was before vakt's last change of it
    #[arg(long, conflicts_with = "persist")]
    pub(super) put_back: bool,
    /// Go back by itself after TIME, unless `vakt runs keep` says that it stays; from 10s to 24h
    #[arg(long, value_name = "TIME")]
    pub(super) revert_after: Option<String>,
    /// mysql.failover: take the risk that the refusal names, by its very words
    #[arg(long, value_name = "PHRASE")]
    pub(super) accept_risk: Option<String>,
    /// Why, for the journal and for whoever finds the cluster locked
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Print the plan and end
    #[arg(long)]
    pub(super) plan: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Return as soon as the run is open; `vakt runs attach` follows it
    #[arg(long)]
    pub(super) detach: bool,
    /// Print JSON lines (documented in docs/runs-json.md)
    #[arg(long)]
    pub(super) json: bool,
    /// Act although somebody else holds the lock, for this reason; it is journalled
    #[arg(long, value_name = "WHY")]
    pub(super) break_glass: Option<String>,
}

impl DoWanted {
    /// The words of the intent.
    pub(super) fn intent_words(&self) -> Vec<String> {
        let options = [
            ("--deadline", &self.deadline),
            ("--on-deadline", &self.on_deadline),
            ("--weight", &self.weight),
            ("--to", &self.to),
            ("--only", &self.only),
            ("--revert-after", &self.revert_after),
            ("--accept-risk", &self.accept_risk),
            ("--reason", &self.reason),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]));
        let flags = [("--persist", self.persist), ("--put-back", self.put_back)];
        let flags = flags.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name.to_owned());
        self.words.iter().cloned().chain(given.flatten()).chain(flags).collect()
    }
}

/// What is wanted of runs.
#[derive(Debug, Subcommand)]
pub(super) enum RunsWanted {
    /// Looks at them.
    #[command(flatten)]
    Look(RunsCommand),
    /// Follows one, or takes it up.
    #[command(flatten)]
    Act(RunAct),
}

/// What is done with one run.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum RunAct {
    /// Follow a run that goes on; Ctrl-C asks it to stop, twice leaves it alone
    Attach(RunWanted),
    /// Say that what a run did stays that would go back by itself (--revert-after)
    Keep(RunWanted),
    /// Take an interrupted run up again and go on
    Resume(RunWanted),
    /// Take an interrupted run up again and undo what it did
    Rollback(RunWanted),
}

/// Which run.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunWanted {
    /// Its name, or the beginning of it
    pub(super) run: String,
    /// Print JSON lines (documented in docs/runs-json.md)
    #[arg(long)]
    pub(super) json: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Act although somebody else holds the lock, for this reason; it is journalled
    #[arg(long, value_name = "WHY")]
    pub(super) break_glass: Option<String>,
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
