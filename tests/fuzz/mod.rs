//! Every parser of `src/wire` against answers that no healthy daemon gives: real captures, spoilt again and again.
//!
//! Nothing is left to chance: the same seed makes the same inputs. A short run belongs to the tests; `./dev soak fuzz`
//! makes ten million executions. What is asserted of each: no panic, a bounded time, and no text that a terminal would
//! obey.

pub(crate) mod engine;
mod mutate;
pub(crate) mod targets;
