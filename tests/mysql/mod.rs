//! MySQL and MariaDB without a server: statements, captures, formulas, sets of transactions, attribution.

mod attribution;
mod captures;
mod formulas;
mod gtids;
mod hostile;
mod replies;
mod simulated;
mod statements;
pub(crate) mod tuning;
