//! The README's key table comes from the command registry. `UPDATE=1` writes it anew.

use std::fs;

const BEGIN: &str = "<!-- keys: generated from the command registry, a test compares -->\n";
const END: &str = "<!-- end of keys -->";

#[test]
fn the_key_table_is_the_registrys() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let wanted = vakt::app::help::markdown();
    if std::env::var("UPDATE").is_ok() {
        fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, wanted, "run UPDATE=1 cargo test the_key_table");
    }
}
