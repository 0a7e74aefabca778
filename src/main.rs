//! The `vakt` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    vakt::cli::main()
}
