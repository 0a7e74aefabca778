//! The inventory from a document without problems.

use super::{
    check, defaults,
    document::{Document, Table},
    jump,
    values::NONE,
    write_endpoint,
};
use crate::model::{
    ids::{ClusterName, NodeName},
    inventory::{
        Confirm, ConsoleSettings, Database, DatabaseLogin, DatabaseThresholds, ExposureSettings, Glyphs, Guest,
        HeartbeatSettings, Inventory, JumpHost, LockSettings, Node, OvsSocket, PasswordSource, Policy, PollSettings,
        RecorderSettings, Residency, Role, Settings, SshConfigFile, SshOverrides, SshSettings, StateSettings,
        ThemeName, Thresholds, Vip,
    },
};
use std::path::PathBuf;

/// Ports that may be public where the file does not say: web, encrypted web, and the way in for operators.
const PUBLIC_PORTS: [u16; 3] = [80, 443, 22];

/// The inventory. Values that the checks would have refused are not expected and fall back to nothing.
pub(super) fn inventory(document: &Document) -> Inventory {
    let cluster = document.table("cluster").and_then(|cluster| cluster.text("name")).unwrap_or_default();
    Inventory {
        cluster: ClusterName::new(cluster),
        nodes: document.list("node").iter().filter_map(|table| node(document, table)).collect(),
        vips: document.list("vip").iter().filter_map(vip).collect(),
        guests: document.list("guest").iter().filter_map(guest).collect(),
        settings: settings(document),
    }
}

fn node(document: &Document, table: &Table) -> Option<Node> {
    let roles = table.roles("roles")?.to_vec();
    let socket = |key: &str, role: Role, section: &'static str| match table.text(key) {
        Some(NONE) => None,
        Some(path) => Some(path.to_owned()),
        None => roles.contains(&role).then(|| Setting { document, section }.text("socket")),
    };
    let ovs = match table.text("ovs_socket") {
        Some(NONE) => None,
        Some(path) => Some(OvsSocket { path: path.to_owned(), is_expected: true }),
        None => Some(OvsSocket { path: Setting { document, section: "ovs" }.text("socket"), is_expected: false }),
    };
    let haproxy_socket = socket("haproxy_socket", Role::Edge, "haproxy");
    let libvirt_socket = socket("libvirt_socket", Role::Hypervisor, "libvirt");
    let ssh = document.table("ssh");
    let jump = jump::of_node(ssh, table).map(|hops| hops.into_iter().map(|hop| hop.value).collect());
    Some(Node {
        name: NodeName::new(table.text("name")?),
        management: table.text("management")?.to_owned(),
        private: table.address("private"),
        public: table.address("public"),
        site: table.text("site").map(str::to_owned),
        jurisdiction: table.text("jurisdiction").map(str::to_owned),
        ssh: overrides(ssh, table, jump),
        haproxy_socket,
        ovs,
        libvirt_socket,
        migration_uri: table.text("migration_uri").map(str::to_owned),
        hosts: names(table, "hosts"),
        database: database(document, table, &roles),
        roles,
    })
}

/// The database server of a node.
fn database(document: &Document, node: &Table, roles: &[Role]) -> Option<Database> {
    let setting = Setting { document, section: "mysql" };
    let socket = match node.text("mysql_socket") {
        Some(NONE) => return None,
        Some(path) => path.to_owned(),
        None => roles.contains(&Role::Database).then(|| setting.text("socket"))?,
    };
    let mysql = document.table("mysql");
    let text = |key| mysql.and_then(|mysql| mysql.text(key));
    let file = mysql.and_then(|mysql| mysql.files("password_file")).and_then(<[PathBuf]>::first);
    let password = file.map(|file| PasswordSource::File(file.clone()));
    let password = password.or_else(|| text("password_env").map(|name| PasswordSource::Variable(name.to_owned())));
    let file = mysql.and_then(|mysql| mysql.files("replication_password_file")).and_then(<[PathBuf]>::first);
    let secret = file.map(|file| PasswordSource::File(file.clone()));
    let secret =
        secret.or_else(|| text("replication_password_env").map(|name| PasswordSource::Variable(name.to_owned())));
    let replication = DatabaseLogin { user: text("replication_user").map(str::to_owned), password: secret };
    let heartbeat = text("heartbeat_table").and_then(|name| name.split_once('.'));
    Some(Database {
        socket,
        login: DatabaseLogin { user: text("user").map(str::to_owned), password },
        heartbeat: heartbeat
            .map(|(schema, table)| HeartbeatSettings { schema: schema.to_owned(), table: table.to_owned() }),
        heartbeat_utc: setting.switch("heartbeat_utc"),
        replication,
    })
}

fn names(table: &Table, key: &str) -> Vec<NodeName> {
    table.texts(key).unwrap_or_default().iter().map(|node| NodeName::new(node.value.as_str())).collect()
}

fn guest(table: &Table) -> Option<Guest> {
    let (name, roles) = (table.text("name")?.to_owned(), table.roles("roles")?.to_vec());
    Some(Guest { name, roles, hosts: names(table, "hosts") })
}

/// The roles that the file gives jurisdictions, in the order of the traffic path.
fn residency(document: &Document) -> Vec<Residency> {
    let Some(table) = document.table("residency") else { return Vec::new() };
    let of = |role: Role| {
        let jurisdictions = table.texts(role.word())?.iter().map(|label| label.value.clone()).collect();
        Some(Residency { role, jurisdictions })
    };
    Role::ALL.into_iter().filter_map(of).collect()
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
    Some(Vip { address: table.address("address")?, nodes: names(table, "nodes") })
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

    fn whole(&self, key: &str) -> u64 {
        self.table().and_then(|table| table.integer(key)).unwrap_or_else(|| defaults::integer(self.section, key))
    }

    fn count(&self, key: &str) -> u32 {
        u32::try_from(self.whole(key)).unwrap_or(u32::MAX)
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
        exposure: exposure(document),
        policy: policy(&setting("policy")),
        residency: residency(document),
        write_endpoint: write_endpoint::build(document, setting("write_endpoint").whole("command_ms")),
        lock: lock(document),
        state: state(document),
        recorder: recorder(&setting("recorder")),
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
        connect_timeout_ms: ssh.whole("connect_timeout_ms"),
        keepalive_interval_ms: ssh.whole("keepalive_interval_ms"),
        keepalive_misses_max: ssh.count("keepalive_misses_max"),
        handshakes_max: ssh.count("handshakes_max"),
        handshakes_per_jump_max: ssh.count("handshakes_per_jump_max"),
        backoff_min_ms: ssh.whole("backoff_min_ms"),
        backoff_max_ms: ssh.whole("backoff_max_ms"),
        missed_deadlines_max: ssh.count("missed_deadlines_max"),
    }
}

fn poll(document: &Document) -> PollSettings {
    let poll = Setting { document, section: "poll" };
    let host_ms = poll.whole("host_ms");
    let stale = document.table("poll").and_then(|table| table.integer("stale_after_ms"));
    PollSettings {
        host_ms,
        host_profile_ms: poll.whole("host_profile_ms"),
        haproxy_ms: poll.whole("haproxy_ms"),
        switch_live_ms: poll.whole("switch_live_ms"),
        switch_ms: poll.whole("switch_ms"),
        mysql_ms: poll.whole("mysql_ms"),
        guests_ms: poll.whole("guests_ms"),
        guest_profile_ms: poll.whole("guest_profile_ms"),
        presence_ms: poll.whole("presence_ms"),
        services_ms: poll.whole("services_ms"),
        memcached_ms: poll.whole("memcached_ms"),
        certificates_ms: poll.whole("certificates_ms"),
        private_network_ms: poll.whole("private_network_ms"),
        deadline_ms: poll.whole("deadline_ms"),
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
        clock_offset_ms: limits.whole("clock_offset_ms"),
        queue_requests: limits.whole("queue_requests"),
        sessions_percent: limits.decimal("sessions_percent"),
        errors_percent: limits.decimal("errors_percent"),
        switch_drops_per_s: limits.decimal("switch_drops_per_s"),
        link_percent: limits.decimal("link_percent"),
        database: DatabaseThresholds {
            lag_ms: limits.whole("replication_lag_ms"),
            connections_percent: limits.decimal("connections_percent"),
            redo_percent: limits.decimal("redo_percent"),
            history_list: limits.whole("history_list"),
            transaction_s: limits.whole("transaction_s"),
        },
        vcpus_per_cpu: limits.decimal("vcpus_per_cpu"),
        guest_memory_percent: limits.decimal("guest_memory_percent"),
        certificate_days: limits.whole("certificate_days"),
        certificate_critical_days: limits.whole("certificate_critical_days"),
        web_memory_percent: limits.decimal("web_memory_percent"),
        memcached_evictions_per_s: limits.decimal("memcached_evictions_per_s"),
        private_site_ms: limits.decimal("private_site_ms"),
        private_town_ms: limits.decimal("private_town_ms"),
        private_far_ms: limits.decimal("private_far_ms"),
        private_loss_percent: limits.decimal("private_loss_percent"),
        spike_factor: limits.decimal("spike_factor"),
        hold_ms: limits.whole("hold_ms"),
        host_hold_ms: limits.whole("host_hold_ms"),
    }
}

fn exposure(document: &Document) -> ExposureSettings {
    let ports = document.table("exposure").and_then(|exposure| exposure.ports("ports"));
    ExposureSettings { ports: ports.map_or_else(|| PUBLIC_PORTS.to_vec(), <[u16]>::to_vec) }
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
        nodes_out_max: policy.count("nodes_out_max"),
        playbook_revert_ms: policy.count("playbook_revert_ms"),
        ramp_step_ms: policy.count("ramp_step_ms"),
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

fn recorder(recorder: &Setting<'_>) -> RecorderSettings {
    RecorderSettings {
        enabled: recorder.switch("enabled"),
        mask: recorder.switch("mask"),
        total_mib: recorder.whole("total_mib"),
        age_days: recorder.whole("age_days"),
        segment_s: recorder.whole("segment_s"),
    }
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
