//! MySQL and MariaDB without a server: statements, captures, sets of transactions.

mod captures;
mod gtids;
mod hostile;
mod statements;
