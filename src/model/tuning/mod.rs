//! Settings of databases, load balancers and kernels: which matter ([`catalogue`]), what they are on a node
//! ([`TuningSample`]), and what is advised ([`advise`]).
//!
//! Deliberately absent: where values come from (`wire::tuning`), and who differs from whom (`history::tuning`).

mod advice;
mod backends;
mod catalogue;
mod config;
mod knob;
mod page;
mod sample;
mod value;

pub use advice::{Advice, Basis, Peak, advise};
pub use catalogue::{Catalogue, How, Place, Rule, Setting, Technology, catalogue};
pub use config::{
    ConfigLine, HaproxyConfig, NoStanding, SECTIONS, Spot, Standing, Word, time_ms, value_in_file, words,
};
pub use knob::{Knob, NoKnob, OF, key_and_part};
pub use page::page;
pub use sample::{FileValue, Head, Reading, SettingsFile, Span, TuningSample, Variable};
pub use value::Unit;
