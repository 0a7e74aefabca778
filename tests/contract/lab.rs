//! The lab's real machines, if there is one.
//!
//! `VAKT_LAB_CONFIG` names the configuration that the lab wrote. With `VAKT_LAB=1` a lab that cannot be reached is a
//! failure; otherwise the test says that it was skipped.

use super::bed::Bed;
use crate::cluster::lab::is_wanted;
use std::{env, path::Path, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// A bed on one node of the lab.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(super) async fn bed(node: &str) -> Option<Bed> {
    match find(node).await {
        Ok(bed) => Some(bed),
        Err(why) if is_wanted() => panic!("no lab: {why}"),
        Err(why) => {
            println!("skipped: no lab ({why})");
            None
        }
    }
}

async fn find(name: &str) -> Result<Bed, String> {
    let file = env::var("VAKT_LAB_CONFIG")
        .map_err(|_| "VAKT_LAB_CONFIG is not set: VAKT_LAB_CONFIG=$(tests/lab/lab config)".to_owned())?;
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    let config: toml::Table = text.parse().map_err(|error| format!("{file}: {error}"))?;
    let nodes = config.get("node").and_then(toml::Value::as_array).ok_or("no nodes")?;
    let node = nodes.iter().find(|node| text_of(node, "name") == Some(name)).ok_or(format!("no node {name}"))?;
    let address = text_of(node, "management").ok_or("no address")?;
    let user = text_of(node, "user").ok_or("no user")?;
    let ssh = config.get("ssh").ok_or("no ssh settings")?;
    let first = |key: &str| ssh.get(key).and_then(|list| list.get(0)).and_then(toml::Value::as_str);
    let key = first("identity_files").ok_or("no key")?;
    let known_hosts = first("known_hosts_files").ok_or("no known_hosts file")?;
    timeout(Duration::from_secs(3), TcpStream::connect((address, 22)))
        .await
        .map_err(|_| format!("{address} does not answer"))?
        .map_err(|error| format!("{address}: {error}"))?;
    Ok(Bed::real(address, user, Path::new(key), Path::new(known_hosts)))
}

fn text_of<'a>(table: &'a toml::Value, key: &str) -> Option<&'a str> {
    table.get(key).and_then(toml::Value::as_str)
}
