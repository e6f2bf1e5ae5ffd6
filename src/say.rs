//! The one place that prints: results on standard output, everything else on standard error.
//!
//! Whoever reads may leave. A result whose reader has gone is not printed to its end, and nothing else changes: what was
//! begun goes on, and ends with the exit code it would have had. A result that cannot be printed for another reason (a full
//! disk) is an error like any other. What is said on standard error is never worth an error.

use anyhow::{Context, Result};
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::time::Duration;

/// Prints a result as it is.
///
/// # Errors
/// When it cannot be written, and not because nobody reads it any more.
pub fn result(text: &str) -> Result<()> {
    written(&mut io::stdout().lock(), text).context("writing to standard output")
}

/// Prints a result and the end of its line.
///
/// # Errors
/// As [`result`].
pub fn result_line(text: impl Display) -> Result<()> {
    result(&format!("{text}\n"))
}

/// Whether anything that was printed by others, as by the parser of the command line, could be.
///
/// # Errors
/// As [`result`].
pub fn printed(outcome: io::Result<()>) -> Result<()> {
    unless_nobody_reads(outcome.and_then(|()| io::stdout().flush())).context("writing to standard output")
}

/// Says something that is no result, on a line of its own.
pub fn note(text: impl Display) {
    note_part(format_args!("{text}\n"));
}

/// The same, as it is.
pub fn note_part(text: impl Display) {
    // In one piece, so that lines of several processes are not mixed.
    let _ = Notes.write_all(text.to_string().as_bytes());
}

/// The same for somebody who cannot wait for a reader that has stopped reading: another thread says it, and is given a moment.
pub fn aside(text: impl Display) {
    const MOMENT: Duration = Duration::from_millis(200);
    let (text, (done, heard)) = (text.to_string(), std::sync::mpsc::channel());
    let said = std::thread::Builder::new().spawn(move || {
        note(text);
        let _ = done.send(());
    });
    if said.is_ok() {
        let _ = heard.recv_timeout(MOMENT);
    }
}

/// Whether what is said is seen on a terminal, and may be drawn over.
pub fn is_seen_on_a_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether results are seen on a terminal, where a picture may stand among them.
pub fn results_are_seen_on_a_terminal() -> bool {
    io::stdout().is_terminal()
}

fn written(output: &mut impl Write, text: &str) -> io::Result<()> {
    unless_nobody_reads(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

fn unless_nobody_reads(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Standard error, for those who write there themselves: never fails, whoever has closed it.
#[derive(Debug, Clone, Copy)]
pub struct Notes;

impl Write for Notes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes no byte, for a reason.
    struct Closed(ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_mistake_and_a_full_disk_is_one() {
        written(&mut Closed(ErrorKind::BrokenPipe), "a result").expect("nobody asks for it any more");
        let error = written(&mut Closed(ErrorKind::StorageFull), "a result").expect_err("it was asked for");
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(printed(Err(ErrorKind::StorageFull.into())).is_err());
        printed(Err(ErrorKind::BrokenPipe.into())).expect("nobody asks for it any more");
    }
}
