//! The terminal is given back on every way out, and a terminal that vanishes ends the program. Invariant 13.

use crate::program::{Modes, Program, now, pause};
use rustix::process::{Signal, kill_process};
use std::{fs, time::Duration};
use tempfile::TempDir;

/// Longest wait for anything here; reached only when something is wrong.
const LIMIT: Duration = Duration::from_secs(20);

/// A cluster of one node at which nothing listens.
fn lonely() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let text = "[cluster]\nname = \"lonely\"\n[ssh]\nssh_config_file = \"none\"\nuse_agent = false\n\
                [[node]]\nname = \"n1\"\nroles = [\"web\"]\nmanagement = \"127.0.0.1\"\nport = 1\nuser = \"nobody\"\n";
    fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

fn console() -> (TempDir, Program) {
    let (folder, config) = lonely();
    let program = Program::vakt(&["--config", &config], 100, 30);
    program.wait_for("the first frame", LIMIT, |screen| screen.contains("lonely"));
    program.wait_for_modes(
        &Modes { alternate_screen: true, mouse: true, bracketed_paste: true, cursor_hidden: true, cooked: false },
        LIMIT,
    );
    (folder, program)
}

#[test]
fn invariant_13_restored_when_the_operator_leaves() {
    let (_folder, mut program) = console();
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
    program.wait_for_modes(&Modes::RESTORED, LIMIT);
}

#[test]
fn invariant_13_restored_on_sigterm() {
    let (_folder, mut program) = console();
    kill_process(program.pid(), Signal::TERM).unwrap();
    assert_eq!(program.wait_for_end(LIMIT), 0);
    program.wait_for_modes(&Modes::RESTORED, LIMIT);
}

#[test]
fn invariant_13_restored_on_sighup_while_the_terminal_is_there() {
    let (_folder, mut program) = console();
    kill_process(program.pid(), Signal::HUP).unwrap();
    program.wait_for_end(LIMIT);
    program.wait_for_modes(&Modes::RESTORED, LIMIT);
}

#[test]
fn invariant_13_restored_on_a_panic_and_the_report_is_readable() {
    let mut program = Program::example("panic_in_console", 100, 30);
    assert_ne!(program.wait_for_end(LIMIT), 0);
    program.wait_for("the report", LIMIT, |screen| screen.contains("on purpose"));
    program.wait_for_modes(&Modes::RESTORED, LIMIT);
}

#[test]
fn invariant_13_restored_while_suspended_and_taken_again() {
    for suspend in [
        |program: &mut Program| program.press("\x1a"),
        |program: &mut Program| {
            kill_process(program.pid(), Signal::TSTP).unwrap();
        },
    ] {
        let (_folder, mut program) = console();
        suspend(&mut program);
        program.wait_for_modes(&Modes::RESTORED, LIMIT);
        kill_process(program.pid(), Signal::CONT).unwrap();
        program.wait_for("the console again", LIMIT, |screen| screen.contains("lonely"));
        assert!(program.modes().alternate_screen);
        program.press("q");
        assert_eq!(program.wait_for_end(LIMIT), 0);
        program.wait_for_modes(&Modes::RESTORED, LIMIT);
    }
}

#[test]
fn a_vanished_terminal_ends_the_program_without_spinning() {
    let (_folder, mut program) = console();
    let before = cpu_ticks(program.pid().as_raw_nonzero().get());
    let started = now();
    program.close_terminal();
    // The last reading of its CPU time before it is gone.
    let mut after = before;
    while let Some(ticks) = cpu_ticks(program.pid().as_raw_nonzero().get()) {
        after = Some(ticks);
        assert!(started.elapsed() < LIMIT, "still running without a terminal");
        if exited(program.pid().as_raw_nonzero().get()) {
            break;
        }
        pause();
    }
    let used = after.unwrap_or(0).saturating_sub(before.unwrap_or(0));
    assert!(started.elapsed() < Duration::from_secs(1), "took {:?} to end", started.elapsed());
    assert!(used <= 20, "used {used} ticks of 10 ms on the way");
    // Not by a signal: what it leaves behind (recordings, a demo's folder) is brought to its end.
    assert_eq!(program.wait_for_end(LIMIT), 0);
}

#[test]
fn a_storm_of_resizes_ends_in_the_right_frame() {
    let (_folder, mut program) = console();
    for step in 0..300_u16 {
        program.resize(1 + step * 7 % 200, 1 + step * 5 % 60);
    }
    program.resize(90, 28);
    program.press("\x0c");
    program.wait_for("the frame of the last size", LIMIT, |screen| screen.contains("lonely") && screen.contains("n1"));
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
}

#[test]
fn the_first_frame_comes_before_any_connection_is_up() {
    // A peer that accepts and never says a word: the connection cannot come up.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let port = silent.local_addr().unwrap().port();
    let text = format!(
        "[cluster]\nname = \"lonely\"\n[ssh]\nssh_config_file = \"none\"\nuse_agent = false\n\
         [[node]]\nname = \"n1\"\nroles = [\"web\"]\nmanagement = \"127.0.0.1\"\nport = {port}\nuser = \"nobody\"\n"
    );
    fs::write(&path, text).unwrap();
    let mut program = Program::vakt(&["--config", &path.to_string_lossy()], 100, 30);
    program.wait_for("a frame with the node on it", LIMIT, |screen| screen.contains("n1"));
    assert!(program.screen().contains("0 of 1"), "{}", program.screen());
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
}

#[test]
fn without_a_terminal_the_console_refuses_and_says_what_to_use() {
    let (_folder, config) = lonely();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_vakt")).args(["--config", &config]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("vakt status"));
    assert!(output.stdout.is_empty());
}

#[test]
fn invariant_10_the_stream_holds_only_sequences_of_our_own() {
    let (_folder, mut program) = console();
    for keys in ["2", "6", "7", "1", "?", "\x1b", ":", "\x1b", "w"] {
        program.press(keys);
    }
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
    program.wait_for_modes(&Modes::RESTORED, LIMIT);
    let stream = program.stream();
    let mut rest = stream.as_slice();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == 0x1b {
            let body = tail.strip_prefix(b"[").expect("only CSI sequences");
            let end = body.iter().position(|b| (0x40..=0x7e).contains(b)).expect("a complete sequence");
            assert!(b"ABCDHJKhlm".contains(&body[end]), "CSI … {}", char::from(body[end]));
            rest = &body[end + 1..];
        } else {
            assert!(byte >= 0x20 || b"\r\n".contains(&byte), "control byte {byte:#x}");
        }
    }
}

/// User and system time of a process in ticks of 10 ms; `None` when it is gone.
fn cpu_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// Whether a process has ended and only waits to be collected.
fn exited(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}
