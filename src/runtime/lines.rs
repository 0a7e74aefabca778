//! Lines from a stream that somebody else writes: bounded, and wiped, because a line may carry a secret.

use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Read at once.
const CHUNK_BYTES: usize = 4096;

/// Cuts a stream into lines.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    /// What came and is no whole line yet.
    unfinished: Zeroizing<Vec<u8>>,
    bytes_max: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `bytes_max` bytes.
    pub fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, unfinished: Zeroizing::default(), bytes_max }
    }

    /// The next line without its end; `None` at the end of the stream, on an error, or when a line is too long.
    ///
    /// Whoever stops waiting for it loses nothing: the next call goes on.
    pub async fn next(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.unfinished[searched..].iter().position(|byte| *byte == b'\n') {
                let end = searched + at;
                let line = Zeroizing::new(self.unfinished[..end].to_vec());
                let rest = Zeroizing::new(self.unfinished[end + 1..].to_vec());
                self.unfinished = rest;
                return Some(line);
            }
            searched = self.unfinished.len();
            if searched > self.bytes_max {
                return None;
            }
            let mut chunk = Zeroizing::new([0; CHUNK_BYTES]);
            let count = self.reader.read(&mut *chunk).await.ok().filter(|count| *count > 0)?;
            if self.unfinished.capacity() < searched + count {
                // Growing in place would leave a copy behind that nobody wipes.
                let mut larger = Zeroizing::new(Vec::with_capacity((searched + count) * 2));
                larger.extend_from_slice(&self.unfinished);
                self.unfinished = larger;
            }
            self.unfinished.extend_from_slice(&chunk[..count]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_whole_whatever_the_pieces_and_too_long_ones_end_it() {
        let text = format!("one\n\n{}\nlast", "x".repeat(10_000));
        for size in [1, 7, 4096, 100_000] {
            let (mut theirs, ours) = tokio::io::duplex(size);
            let text = text.clone();
            let writing = tokio::spawn(async move {
                tokio::io::AsyncWriteExt::write_all(&mut theirs, text.as_bytes()).await.unwrap();
            });
            let mut lines = Lines::new(ours, 20_000);
            assert_eq!(lines.next().await.as_deref().map(Vec::as_slice), Some(&b"one"[..]));
            assert_eq!(lines.next().await.as_deref().map(Vec::as_slice), Some(&b""[..]));
            assert_eq!(lines.next().await.map(|line| line.len()), Some(10_000));
            assert!(lines.next().await.is_none(), "an unfinished line is none");
            writing.await.unwrap();
        }
        let long = "x".repeat(50_000);
        let mut lines = Lines::new(long.as_bytes(), 20_000);
        assert!(lines.next().await.is_none());
    }

    #[tokio::test]
    async fn whoever_stops_waiting_loses_nothing() {
        let (mut theirs, ours) = tokio::io::duplex(100);
        let mut lines = Lines::new(ours, 100);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, b"ha").await.unwrap();
        tokio::select! {
            biased;
            line = lines.next() => panic!("half a line is one: {line:?}"),
            () = tokio::task::yield_now() => {}
        }
        tokio::io::AsyncWriteExt::write_all(&mut theirs, b"lf\n").await.unwrap();
        assert_eq!(lines.next().await.as_deref().map(Vec::as_slice), Some(&b"half"[..]));
    }
}
