//! The inventory of the world, and its settings.

use vakt::model::{ids::ClusterName, inventory::*};

pub(super) fn node(name: &str, role: Role, last_octet: u8, site: &str) -> Node {
    Node {
        name: name.into(),
        roles: vec![role],
        management: format!("10.99.0.{last_octet}"),
        private: Some(format!("10.10.0.{last_octet}").parse().unwrap()),
        public: None,
        site: Some(site.to_owned()),
        jurisdiction: Some("NO".to_owned()),
        ssh: SshOverrides::default(),
        ovs: None,
        haproxy_socket: (role == Role::Edge).then(|| "/run/haproxy/admin.sock".to_owned()),
        database: None,
        libvirt_socket: (role == Role::Hypervisor).then(|| "/run/libvirt/libvirt-sock-ro".to_owned()),
        migration_uri: None,
        hosts: Vec::new(),
    }
}

fn thresholds() -> Thresholds {
    Thresholds {
        iowait_percent: 25.0,
        steal_percent: 10.0,
        io_full_percent: 20.0,
        memory_percent: 90.0,
        filesystem_percent: 90.0,
        clock_offset_ms: 100,
        queue_requests: 5,
        sessions_percent: 80.0,
        errors_percent: 1.0,
        switch_drops_per_s: 1.0,
        link_percent: 80.0,
        database: DatabaseThresholds {
            lag_ms: 3000,
            connections_percent: 80.0,
            redo_percent: 75.0,
            history_list: 100_000,
            transaction_s: 60,
        },
        vcpus_per_cpu: 4.0,
        guest_memory_percent: 90.0,
        certificate_days: 21,
        certificate_critical_days: 7,
        web_memory_percent: 90.0,
        memcached_evictions_per_s: 10.0,
        private_site_ms: 1.0,
        private_town_ms: 2.0,
        private_far_ms: 20.0,
        private_loss_percent: 10.0,
        spike_factor: 3.0,
        hold_ms: 3000,
        host_hold_ms: 30_000,
    }
}

fn settings() -> Settings {
    Settings {
        ssh: SshSettings {
            config_file: SshConfigFile::Default,
            connect_timeout_ms: 5000,
            keepalive_interval_ms: 1000,
            keepalive_misses_max: 3,
            handshakes_max: 8,
            handshakes_per_jump_max: 2,
            backoff_min_ms: 250,
            backoff_max_ms: 4000,
            missed_deadlines_max: 3,
        },
        jump_hosts: Vec::new(),
        poll: PollSettings {
            host_ms: 1000,
            host_profile_ms: 60_000,
            haproxy_ms: 1000,
            switch_live_ms: 2_000,
            switch_ms: 15_000,
            mysql_ms: 1000,
            guests_ms: 2000,
            guest_profile_ms: 30_000,
            presence_ms: 2000,
            services_ms: 5000,
            memcached_ms: 3000,
            certificates_ms: 300_000,
            private_network_ms: 30_000,
            deadline_ms: 2000,
            stale_after_ms: 3000,
        },
        thresholds: thresholds(),
        exposure: ExposureSettings { ports: vec![80, 443, 22] },
        policy: Policy {
            read_only: false,
            confirm: Confirm::ByBlastRadius,
            capacity_floor_percent: 50,
            nodes_out_max: 2,
            playbook_revert_ms: 600_000,
            ramp_step_ms: 5_000,
        },
        residency: Vec::new(),
        write_endpoint: WriteEndpoint::default(),
        lock: vakt::model::inventory::LockSettings::default(),
        state: vakt::model::inventory::StateSettings::default(),

        recorder: RecorderSettings { enabled: true, mask: true, total_mib: 512, age_days: 14, segment_s: 300 },
        console: ConsoleSettings { theme: ThemeName::Dark, glyphs: Glyphs::Auto, mouse: true },
    }
}

pub(crate) fn inventory() -> Inventory {
    let nodes = vec![
        node("lb01", Role::Edge, 11, "oslo"),
        node("lb02", Role::Edge, 12, "oslo"),
        node("web01", Role::Web, 21, "oslo"),
        node("web02", Role::Web, 22, "oslo"),
        node("web03", Role::Web, 23, "oslo"),
        node("db01", Role::Database, 31, "oslo"),
        node("db02", Role::Database, 32, "oslo"),
        node("db03", Role::Database, 33, "oslo"),
        node("kvm01", Role::Hypervisor, 41, "oslo"),
        node("kvm02", Role::Hypervisor, 42, "oslo"),
    ];
    Inventory {
        cluster: ClusterName::from("oslo-prod"),
        nodes,
        vips: vec![Vip { address: "10.10.0.100".parse().unwrap(), nodes: vec!["lb01".into(), "lb02".into()] }],
        guests: vec![Guest { name: "app01".into(), roles: vec![Role::App], hosts: vec!["kvm01".into()] }],
        settings: settings(),
    }
}
