//! What nodes send, and what is made of it.

mod captures;
mod hostile;
mod real_shells;
