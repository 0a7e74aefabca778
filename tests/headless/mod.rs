//! What headless commands print, against their documents.

mod status_schema;
