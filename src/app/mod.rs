//! The console as a value: everything that can happen is a [`msg::Msg`], everything it wants done is an
//! [`effect::Effect`], and `update` is a plain function between them.

pub mod effect;
pub mod msg;
