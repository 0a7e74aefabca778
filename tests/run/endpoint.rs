//! What leads writes besides load balancers, in memory: keepalived on the databases, as version 2.2 was seen to move an
//! address, and a command on the bastion.

use super::{cluster::Cluster, harness::Fault};
use std::net::IpAddr;
use vakt::{
    model::{
        figure::{Figure, Unknown},
        haproxy::AdminState,
        presence::{
            HardwareAddress, Keepalived, PresenceFacts, PresenceSample, ProcessState, TrackedFile, VrrpInstance,
        },
        time::Now,
        write_endpoint::HookSample,
    },
    run::RunEvent,
    wire::{
        probe::{Facts, ProbeId},
        request::{Call, Reply},
    },
};

/// Where applications write.
pub(crate) const ADDRESS: &str = "10.10.0.110";
/// The file that keepalived tracks.
const FILE: &str = "/etc/keepalived/priority";
/// The command, as the configuration names it.
pub(crate) const COMMAND: &str = "/usr/local/sbin/lead-writes";

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Endpoint {
    /// The nodes that may hold the address, the first one with the highest priority; none: there is no address.
    pub(crate) keepers: Vec<Keeper>,
    pub(crate) holder: Option<&'static str>,
    pub(crate) is_nopreempt: bool,
    /// keepalived hears nothing, and moves nothing.
    pub(crate) is_deaf: bool,
    pub(crate) command: Option<SimCommand>,
}

/// keepalived on one node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Keeper {
    pub(crate) name: &'static str,
    pub(crate) priority: u8,
    pub(crate) number: i64,
    pub(crate) runs: bool,
    /// Its machine can be reached, and is in the network.
    is_there: bool,
}

/// The command, and where it leads writes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SimCommand {
    pub(crate) leads_to: &'static str,
    /// What it says instead, if it cannot.
    pub(crate) objection: Option<&'static str>,
}

impl Cluster {
    /// Writes come in by an address that the primary holds, and by no load balancer.
    pub(crate) fn by_address(mut self) -> Self {
        let keeper = |(name, priority)| Keeper { name, priority, number: 0, runs: true, is_there: true };
        self.endpoint.keepers = [("db01", 150), ("db02", 100), ("db03", 90)].map(keeper).into();
        self.endpoint.holder = Some("db01");
        self.without_balancers()
    }

    /// Writes come in by what a command does.
    pub(crate) fn by_command(mut self) -> Self {
        self.endpoint.command = Some(SimCommand { leads_to: "db01", objection: None });
        self.without_balancers()
    }

    fn without_balancers(mut self) -> Self {
        for balancer in &mut self.balancers {
            balancer.servers.retain(|server| server.backend != "mysql_rw");
        }
        self
    }

    /// keepalived has done what it will do, and the replicas have noticed that their source is gone.
    pub(crate) fn noticed(mut self) -> Self {
        self.pass();
        self.acknowledged.clear();
        for name in ["db02", "db03"] {
            self.database(name).hears = false;
        }
        self
    }
}

impl Keeper {
    fn effective(&self) -> i64 {
        i64::from(self.priority) + self.number
    }
}

impl Endpoint {
    pub(crate) fn is_set(&self) -> bool {
        !self.keepers.is_empty() || self.command.is_some()
    }

    /// What the file says of it.
    pub(crate) fn configuration(&self) -> String {
        let mut text = String::new();
        let mut keys = String::new();
        if !self.keepers.is_empty() {
            let names: Vec<String> = self.keepers.iter().map(|keeper| format!("{:?}", keeper.name)).collect();
            text = format!("[[vip]]\naddress = \"{ADDRESS}\"\nnodes = [{}]\n", names.join(", "));
            keys = format!("address = \"{ADDRESS}\"\n");
        }
        if self.command.is_some() {
            keys = [keys, format!("command = [\"{COMMAND}\", \"--zone\", \"db.example.net\"]\n")].concat();
        }
        if keys.is_empty() { text } else { format!("{text}[write_endpoint]\n{keys}") }
    }

    pub(crate) fn keeper(&mut self, name: &str) -> &mut Keeper {
        self.keepers.iter_mut().find(|keeper| keeper.name == name).unwrap()
    }

    /// Who holds the address in the end.
    fn elected(&self) -> Option<&'static str> {
        let at_work = || self.keepers.iter().filter(|keeper| keeper.runs && keeper.is_there);
        if self.is_deaf {
            return self.holder;
        }
        let stays = at_work().find(|keeper| Some(keeper.name) == self.holder && self.is_nopreempt);
        stays.or_else(|| at_work().max_by_key(|keeper| keeper.effective())).map(|keeper| keeper.name)
    }

    /// Time passes.
    pub(super) fn pass(&mut self, is_reachable: impl Fn(&str) -> bool) {
        for keeper in &mut self.keepers {
            keeper.is_there = is_reachable(keeper.name);
        }
        if !self.keepers.is_empty() {
            self.holder = self.elected();
        }
    }

    /// Whether writes go there once keepalived has done what it will do.
    pub(crate) fn leads_to(&self, name: &str) -> bool {
        let by_address = self.keepers.is_empty() || self.elected() == Some(name);
        let by_command = self.command.as_ref().is_none_or(|command| command.leads_to == name);
        by_address && by_command
    }

    /// Whether they go there now.
    pub(super) fn is_sent_to(&self, name: &str) -> bool {
        self.holder == Some(name) || self.command.as_ref().is_some_and(|command| command.leads_to == name)
    }

    /// What is read of it; `None` where the probe is about something else.
    pub(super) fn facts(&self, probe: ProbeId, node: &str) -> Option<Facts> {
        match probe {
            ProbeId::Hook => self.command.as_ref().map(|command| Facts::Hook(Box::new(command.sample()))),
            ProbeId::Presence => Some(Facts::Presence(Box::new(self.sample(node)?))),
            _ => None,
        }
    }

    fn sample(&self, node: &str) -> Option<PresenceSample> {
        let keeper = self.keepers.iter().find(|keeper| keeper.name == node)?;
        let address: IpAddr = ADDRESS.parse().unwrap();
        let file =
            TrackedFile { name: "by_hand".into(), path: FILE.into(), weight: 1, value: Figure::Known(keeper.number) };
        let instance = VrrpInstance {
            name: "writes".into(),
            state: Some("BACKUP".into()),
            priority: Some(keeper.priority),
            router_id: Some(71),
            interface: Some("priv0".into()),
            is_nopreempt: self.is_nopreempt,
            advert_ms: Some(1_000),
            addresses: vec![address],
            files: vec![file],
            ..VrrpInstance::default()
        };
        let process = if keeper.runs { ProcessState::Running } else { ProcessState::Absent };
        let held = (self.holder == Some(keeper.name)).then_some(address);
        let own = HardwareAddress {
            interface: "priv0".into(),
            address: format!("52:54:0a:0a:00:{}", &keeper.name[2..]).into(),
        };
        Some(PresenceSample {
            addresses: Figure::Known(held.into_iter().collect()),
            interfaces: vec![own],
            keepalived: Keepalived { is_enabled: true, process: Figure::Known(process), instances: vec![instance] },
            ..PresenceSample::default()
        })
    }

    /// The same as the console knows it.
    pub(super) fn presence(&self, node: &str, at: Now) -> Option<PresenceFacts> {
        let sample = self.sample(node)?;
        let since = vec![at; sample.addresses.as_ref().known().map_or(0, Vec::len)];
        Some(PresenceFacts { sample, since, moves: Vec::new(), waits_for_disk: false })
    }

    /// Whether that is told to keepalived, and not to a database.
    pub(super) fn is_told(call: &Call) -> bool {
        let Call::Exec { argv } = call else { return false };
        argv.iter().any(|word| word == FILE || word == "keepalived")
    }

    pub(super) fn send(&mut self, node: &str, call: &Call) -> Reply {
        let Call::Exec { argv } = call else { panic!("{call:?}") };
        let keeper = self.keeper(node);
        match argv.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [.., FILE, number] => keeper.number = number.parse().unwrap(),
            [.., "keepalived", "stop"] => keeper.runs = false,
            [.., "keepalived", "start"] => keeper.runs = true,
            _ => panic!("{argv:?}"),
        }
        Reply { exit: Some(0), ..Reply::default() }
    }

    /// Calls the command, with that fault.
    pub(super) fn deliver(&mut self, ticket: u64, call: &Call, fault: Option<Fault>) -> Option<RunEvent> {
        let Call::Hook { argv } = call else { panic!("{call:?}") };
        let command = self.command.as_mut().unwrap();
        let to = argv.iter().skip_while(|word| *word != "--to").nth(1).unwrap();
        let to = ["db01", "db02", "db03"].into_iter().find(|name| name == to).unwrap();
        let lost = Some(RunEvent::ReplyLost { ticket, why: "it was killed".into() });
        let said = |exit: u32| {
            let reply = Reply { exit: Some(exit), stderr: "the zone is locked".into(), ..Reply::default() };
            Some(RunEvent::Replied { ticket, reply })
        };
        let has_effect =
            !matches!(fault, Some(Fault::NotSent | Fault::Objection | Fault::NoEffect | Fault::LostBeforeEffect));
        if has_effect && command.objection.is_none() {
            command.leads_to = if fault == Some(Fault::WrongState) { "db03" } else { to };
        }
        match fault {
            None if command.objection.is_some() => said(3),
            None | Some(Fault::NoEffect | Fault::WrongState) => said(0),
            Some(Fault::NotSent) => Some(RunEvent::NotSent { ticket, why: "it cannot be started".into() }),
            Some(Fault::Objection | Fault::ObjectionAfterEffect) => said(3),
            Some(Fault::LostBeforeEffect | Fault::LostAfterEffect) => lost,
            Some(Fault::Silence) => None,
            Some(Fault::Gone) => {
                command.objection = Some("no route to the name server");
                lost
            }
        }
    }

    /// What operators set, without what moves by itself.
    pub(super) fn settings(&self) -> Vec<(&'static str, &'static str, AdminState, u64)> {
        let of_keepers = self.keepers.iter().map(|keeper| {
            let number = u64::try_from(keeper.number + 1_000).unwrap() + 10_000 * u64::from(keeper.runs);
            (keeper.name, "keepalived", AdminState::Ready, number)
        });
        let of_command = self.command.iter().map(|command| ("bastion", command.leads_to, AdminState::Ready, 0));
        of_keepers.chain(of_command).collect()
    }
}

impl SimCommand {
    fn sample(&self) -> HookSample {
        match self.objection {
            Some(words) => HookSample {
                leads_to: Figure::Unknown(Unknown::NotOffered),
                objection: Some(format!("exit 3: {words}").into()),
            },
            None => HookSample { leads_to: Figure::Known(self.leads_to.into()), objection: None },
        }
    }
}
