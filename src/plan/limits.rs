//! How long and how often a run looks, and how large a plan may be. Every wait of a run ends by one of these.

/// Between two looks while verifying a write.
pub const VERIFY_POLL_MS: u64 = 100;
/// Longest wait until a write is seen by reading back.
pub const VERIFY_DEADLINE_MS: u64 = 3_000;
/// Between two looks while waiting for sessions or checks.
pub const WAIT_POLL_MS: u64 = 500;
/// Between two looks while an operator's word is awaited.
pub const HOLD_POLL_MS: u64 = 1_000;
/// Looks in a row without a session, one waiting or a new one, before a server counts as drained.
pub const QUIET_LOOKS: u32 = 3;
/// Looks in a row in which the check must have passed.
pub const CHECK_LOOKS: u32 = 3;
/// How long the first new session may take to show after a server returned; then it is only noted.
pub const TRAFFIC_DEADLINE_MS: u64 = 5_000;
/// How long closed sessions may take to end (HAProxy closes them after it answered).
pub const CLOSE_DEADLINE_MS: u64 = 10_000;
/// Longest wait for a server that was told ready to be seen in traffic.
pub const UP_DEADLINE_MS: u64 = 5_000;
/// Most steps of a plan.
pub const STEPS_MAX: usize = 64;
/// Most premises of a plan.
pub const PREMISES_MAX: usize = 256;
/// How often the premises are read anew before the first write, when they grew too old while something else was read.
pub const PREMISES_ANEW_MAX: u32 = 2;
/// How often a run tells again what a process has forgotten that started anew.
pub const TOLD_ANEW_MAX: u32 = 3;
/// Longest deadline of a wait.
pub const WAIT_DEADLINE_MS_MAX: u64 = 24 * 3600 * 1000;
