//! MySQL and MariaDB without a server: sets of transactions.

mod gtids;
