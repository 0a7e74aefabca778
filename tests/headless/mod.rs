//! What headless commands print, against their documents.

mod exit_codes;
mod readme;
mod status_check;
mod status_schema;
