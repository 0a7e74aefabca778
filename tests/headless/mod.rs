//! What headless commands print, against their documents.

mod exit_codes;
mod replay;
mod status_schema;
