//! What nodes send, and what is made of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

pub(crate) mod captures;
mod file_edits;
mod hostile;
mod real_perl;
mod real_shells;

pub(crate) use captures::render;
pub(crate) use hostile::assert_clean;
