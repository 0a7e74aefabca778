//! Settings of databases, load balancers and kernels: which matter ([`catalogue`]), what they are on a node
//! ([`TuningSample`]), and what is advised ([`advise`]).
//!
//! Deliberately absent: where values come from (`wire::tuning`), and who differs from whom (`history::tuning`).

mod advice;
mod catalogue;
mod page;
mod sample;
mod value;

pub use advice::{Advice, Basis, Peak, advise};
pub use catalogue::{Catalogue, How, Place, Rule, Setting, Technology, catalogue};
pub use page::page;
pub use sample::{FileValue, Head, Reading, SettingsFile, Span, TuningSample, Variable};
pub use value::Unit;
