//! The command line.

pub mod config_file;
