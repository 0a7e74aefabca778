//! The `vakt` program: everything is in the library.

fn main() {
    vakt::cli::main()
}
