//! What headless commands print, against their documents.

mod exit_codes;
mod readme;
mod replay;
mod status_schema;
