//! Every figure that can be charted: its title and its unit, in one place. A new one is a row here and a value in the
//! array that [`super::recent`] or [`super::balancer`] pushes.

use super::recent::{DatabaseFigure, GuestFigure, HostFigure, PortFigure, TrafficFigure};

/// What a figure counts, for its axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Of a hundred.
    Percent,
    /// Things.
    Count,
    /// Things a second.
    PerSecond,
    /// Bits a second.
    BitsPerSecond,
    /// Milliseconds.
    Milliseconds,
    /// None.
    Number,
}

impl HostFigure {
    /// Every figure of a host, in the order in which charts offer them.
    pub const ALL: [Self; 10] = [
        Self::CpuBusy,
        Self::Iowait,
        Self::Steal,
        Self::MemoryUsed,
        Self::LoadOneMinute,
        Self::IoFull,
        Self::DiskWorstWait,
        Self::DiskBusiest,
        Self::NetReceived,
        Self::NetSent,
    ];

    /// Its name on a chart, and its unit.
    pub fn row(self) -> (&'static str, Unit) {
        match self {
            Self::CpuBusy => ("CPU busy", Unit::Percent),
            Self::Iowait => ("iowait", Unit::Percent),
            Self::Steal => ("steal", Unit::Percent),
            Self::MemoryUsed => ("memory used", Unit::Percent),
            Self::LoadOneMinute => ("load, one minute", Unit::Number),
            Self::IoFull => ("all tasks wait for disks", Unit::Percent),
            Self::DiskWorstWait => ("longest wait of a disk", Unit::Milliseconds),
            Self::DiskBusiest => ("busiest disk", Unit::Percent),
            Self::NetReceived => ("received, busiest interface", Unit::BitsPerSecond),
            Self::NetSent => ("sent, busiest interface", Unit::BitsPerSecond),
        }
    }
}

impl DatabaseFigure {
    /// Every figure of a database, in the order in which charts offer them.
    pub const ALL: [Self; 5] = [Self::Statements, Self::Writes, Self::Running, Self::RowLocks, Self::Lag];

    /// Its name on a chart, and its unit.
    pub fn row(self) -> (&'static str, Unit) {
        match self {
            Self::Statements => ("statements per second", Unit::PerSecond),
            Self::Writes => ("writes per second", Unit::PerSecond),
            Self::Running => ("threads running", Unit::Count),
            Self::RowLocks => ("row-lock load, sessions that wait", Unit::Number),
            Self::Lag => ("replication lag", Unit::Milliseconds),
        }
    }
}

impl PortFigure {
    /// Every figure of a port.
    pub const ALL: [Self; 3] = [Self::Received, Self::Sent, Self::Dropped];

    /// Its name on a chart, and its unit.
    pub fn row(self) -> (&'static str, Unit) {
        match self {
            Self::Received => ("received by the switch", Unit::BitsPerSecond),
            Self::Sent => ("sent by the switch", Unit::BitsPerSecond),
            Self::Dropped => ("dropped, both ways", Unit::PerSecond),
        }
    }
}

impl GuestFigure {
    /// Every figure of a guest.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Steal];

    /// Its name on a chart, and its unit. Percent of the virtual CPUs that it has.
    pub fn row(self) -> (&'static str, Unit) {
        match self {
            Self::Cpu => ("CPU", Unit::Percent),
            Self::Steal => ("steal", Unit::Percent),
        }
    }
}

impl TrafficFigure {
    /// Every figure of a backend or a server.
    pub const ALL: [Self; 4] = [Self::Rate, Self::Sessions, Self::Queue, Self::Errors];

    /// Its name on a chart, and its unit. Errors are percent of answers, or failures a second where there are none (TCP).
    pub fn row(self) -> (&'static str, Unit) {
        match self {
            Self::Rate => ("sessions per second", Unit::PerSecond),
            Self::Sessions => ("sessions", Unit::Count),
            Self::Queue => ("queue", Unit::Count),
            Self::Errors => ("errors, % of answers or per second", Unit::Number),
        }
    }
}
