//! The inventory from a document without problems.

use super::{
    check, defaults,
    document::{Document, Table},
    jump,
    values::NONE,
};
use crate::model::{
    ids::{ClusterName, NodeName},
    inventory::{
        Confirm, ConsoleSettings, Glyphs, Inventory, JumpHost, LockSettings, Node, Policy, PollSettings, Role,
        Settings, SshConfigFile, SshOverrides, SshSettings, StateSettings, ThemeName, Thresholds, Vip,
    },
};
use std::path::PathBuf;

/// The inventory. Values that the checks would have refused are not expected and fall back to nothing.
pub(super) fn inventory(document: &Document) -> Inventory {
    let cluster = document.table("cluster").and_then(|cluster| cluster.text("name")).unwrap_or_default();
    Inventory {
        cluster: ClusterName::new(cluster),
        nodes: document.list("node").iter().filter_map(|table| node(document, table)).collect(),
        vips: document.list("vip").iter().filter_map(vip).collect(),
        settings: settings(document),
    }
}

fn node(document: &Document, table: &Table) -> Option<Node> {
    let roles = table.roles("roles")?.to_vec();
    let haproxy_socket = match table.text("haproxy_socket") {
        Some(NONE) => None,
        Some(path) => Some(path.to_owned()),
        None => roles.contains(&Role::Edge).then(|| Setting { document, section: "haproxy" }.text("socket")),
    };
    let ssh = document.table("ssh");
    let jump = jump::of_node(ssh, table).map(|hops| hops.into_iter().map(|hop| hop.value).collect());
    Some(Node {
        name: NodeName::new(table.text("name")?),
        roles,
        management: table.text("management")?.to_owned(),
        private: table.address("private"),
        public: table.address("public"),
        site: table.text("site").map(str::to_owned),
        jurisdiction: table.text("jurisdiction").map(str::to_owned),
        ssh: overrides(ssh, table, jump),
        haproxy_socket,
    })
}

/// The table's own settings, then those of `[ssh]`.
fn overrides(ssh: Option<&Table>, own: &Table, jump: Option<Vec<String>>) -> SshOverrides {
    fn first<'a, T>(ssh: Option<&'a Table>, own: &'a Table, get: impl Fn(&'a Table) -> Option<T>) -> Option<T> {
        get(own).or_else(|| ssh.and_then(get))
    }
    let files = |key| first(ssh, own, |table| table.files(key)).map(<[PathBuf]>::to_vec).unwrap_or_default();
    SshOverrides {
        user: first(ssh, own, |table| table.text("user")).map(str::to_owned),
        port: first(ssh, own, |table| table.integer("port")).and_then(|port| u16::try_from(port).ok()),
        identity_files: files("identity_files"),
        jump,
        known_hosts_files: files("known_hosts_files"),
        use_agent: first(ssh, own, |table| table.switch("use_agent")),
    }
}

fn vip(table: &Table) -> Option<Vip> {
    let nodes = table.texts("nodes")?.iter().map(|node| NodeName::new(node.value.as_str())).collect();
    Some(Vip { address: table.address("address")?, nodes })
}

fn jump_host(document: &Document, table: &Table) -> Option<JumpHost> {
    // `jump` of [ssh] is the way to the nodes; a jump host that inherited it would be reached through itself.
    let jump = table.texts("jump").map(|hops| hops.iter().map(|hop| hop.value.clone()).collect());
    Some(JumpHost {
        name: table.text("name")?.to_owned(),
        address: table.text("address")?.to_owned(),
        ssh: overrides(document.table("ssh"), table, jump),
    })
}

/// One section of tunables: the file's value, else the default.
struct Setting<'d> {
    document: &'d Document,
    section: &'static str,
}

impl Setting<'_> {
    fn table(&self) -> Option<&Table> {
        self.document.table(self.section)
    }

    fn ms(&self, key: &str) -> u64 {
        self.table().and_then(|table| table.integer(key)).unwrap_or_else(|| defaults::integer(self.section, key))
    }

    fn count(&self, key: &str) -> u32 {
        u32::try_from(self.ms(key)).unwrap_or(u32::MAX)
    }

    fn decimal(&self, key: &str) -> f64 {
        self.table().and_then(|table| table.decimal(key)).unwrap_or_else(|| defaults::decimal(self.section, key))
    }

    fn switch(&self, key: &str) -> bool {
        self.table().and_then(|table| table.switch(key)).unwrap_or_else(|| defaults::switch(self.section, key))
    }

    fn text(&self, key: &str) -> String {
        self.table().and_then(|table| table.text(key)).unwrap_or_else(|| defaults::text(self.section, key)).to_owned()
    }
}

fn settings(document: &Document) -> Settings {
    let setting = |section| Setting { document, section };
    Settings {
        ssh: ssh_settings(document),
        jump_hosts: document.list("jump_host").iter().filter_map(|table| jump_host(document, table)).collect(),
        poll: poll(document),
        thresholds: thresholds(&setting("thresholds")),
        policy: policy(&setting("policy")),
        lock: lock(document),
        state: state(document),
        console: console(&setting("console")),
    }
}

fn ssh_settings(document: &Document) -> SshSettings {
    let ssh = Setting { document, section: "ssh" };
    let config_file = match document.table("ssh").and_then(|table| table.files("ssh_config_file")) {
        None => SshConfigFile::Default,
        Some([]) => SshConfigFile::None,
        Some([file, ..]) => SshConfigFile::File(file.clone()),
    };
    SshSettings {
        config_file,
        connect_timeout_ms: ssh.ms("connect_timeout_ms"),
        keepalive_interval_ms: ssh.ms("keepalive_interval_ms"),
        keepalive_misses_max: ssh.count("keepalive_misses_max"),
        handshakes_max: ssh.count("handshakes_max"),
        handshakes_per_jump_max: ssh.count("handshakes_per_jump_max"),
        backoff_min_ms: ssh.ms("backoff_min_ms"),
        backoff_max_ms: ssh.ms("backoff_max_ms"),
        missed_deadlines_max: ssh.count("missed_deadlines_max"),
    }
}

fn poll(document: &Document) -> PollSettings {
    let poll = Setting { document, section: "poll" };
    let host_ms = poll.ms("host_ms");
    let stale = document.table("poll").and_then(|table| table.integer("stale_after_ms"));
    PollSettings {
        host_ms,
        host_profile_ms: poll.ms("host_profile_ms"),
        haproxy_ms: poll.ms("haproxy_ms"),
        deadline_ms: poll.ms("deadline_ms"),
        stale_after_ms: stale.unwrap_or_else(|| check::stale_after_ms(host_ms)),
    }
}

fn thresholds(limits: &Setting<'_>) -> Thresholds {
    Thresholds {
        iowait_percent: limits.decimal("iowait_percent"),
        steal_percent: limits.decimal("steal_percent"),
        io_full_percent: limits.decimal("io_full_percent"),
        memory_percent: limits.decimal("memory_percent"),
        filesystem_percent: limits.decimal("filesystem_percent"),
        clock_offset_ms: limits.ms("clock_offset_ms"),
        queue_requests: limits.ms("queue_requests"),
        sessions_percent: limits.decimal("sessions_percent"),
        errors_percent: limits.decimal("errors_percent"),
        hold_ms: limits.ms("hold_ms"),
        host_hold_ms: limits.ms("host_hold_ms"),
    }
}

fn policy(policy: &Setting<'_>) -> Policy {
    let confirm = match policy.text("confirm").as_str() {
        "always_typed" => Confirm::AlwaysTyped,
        _ => Confirm::ByBlastRadius,
    };
    Policy {
        read_only: policy.switch("read_only"),
        confirm,
        capacity_floor_percent: policy.count("capacity_floor_percent"),
    }
}

fn lock(document: &Document) -> LockSettings {
    let nodes = document.table("lock").and_then(|lock| lock.texts("nodes")).unwrap_or_default();
    LockSettings { nodes: nodes.iter().map(|node| NodeName::new(node.value.as_str())).collect() }
}

fn state(document: &Document) -> StateSettings {
    let state = Setting { document, section: "state" };
    let directory = state.table().and_then(|table| table.files("directory")).and_then(<[PathBuf]>::first).cloned();
    StateSettings { directory, runs_max: state.count("runs_max"), age_max_days: state.count("age_max_days") }
}

fn console(console: &Setting<'_>) -> ConsoleSettings {
    let theme = match console.text("theme").as_str() {
        "light" => ThemeName::Light,
        "mono" => ThemeName::Mono,
        _ => ThemeName::Dark,
    };
    let glyphs = match console.text("glyphs").as_str() {
        "unicode" => Glyphs::Unicode,
        "ascii" => Glyphs::Ascii,
        _ => Glyphs::Auto,
    };
    ConsoleSettings { theme, glyphs, mouse: console.switch("mouse") }
}
