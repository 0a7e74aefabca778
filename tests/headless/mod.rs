//! What headless commands print, against their documents.

mod exit_codes;
mod explain;
mod readme;
mod status_check;
mod status_schema;
