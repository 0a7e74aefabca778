//! `ProxyCommand`: a local command whose standard input and output are the connection.

use super::connector::Dialled;
use crate::model::trouble::{Trouble, TroubleKind};
use std::{
    io,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// The running command. Dropping it ends the command.
struct Piped {
    _child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

/// Starts the command as `ssh` does: by the shell, which is replaced by it.
pub(super) fn dial(command: &str) -> Result<Dialled, Trouble> {
    let trouble = |why: &str| {
        Trouble::new(
            TroubleKind::SettingsUnusable,
            format!("ProxyCommand cannot be run ({why}): {command}"),
            "correct ProxyCommand in ssh_config",
        )
    };
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec {command}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| trouble(&error.to_string()))?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => {
            Ok(Dialled { stream: Box::new(Piped { _child: child, stdin, stdout }), address: None })
        }
        _ => Err(trouble("it has no input or output")),
    }
}

impl AsyncRead for Piped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Piped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(cx)
    }
}
