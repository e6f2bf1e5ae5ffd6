//! One writer per folder of a run.
//!
//! The lock is the system's own on an open file: it is gone with the process that held it, however that ended, and a copied
//! folder is not locked. What stands in the file is only for people.

use anyhow::{Context, Result, bail};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;

/// The file that is locked, in the folder of a run. It stays there: removing it would let two in.
pub const LOCK_FILE: &str = ".lock";

/// Held as long as this lives.
#[derive(Debug)]
pub struct FolderLock {
    /// Nothing where the file system knows no locks.
    _file: Option<File>,
}

impl FolderLock {
    /// Locks a folder that is there. Where the file system cannot (some network drives), warns and goes on.
    ///
    /// # Errors
    /// When somebody else writes into it: says who.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK_FILE);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.with_context(|| format!("opening {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {
                // Who it is need not be known to be one.
                let _ = sign(&mut file);
                Ok(Self { _file: Some(file) })
            }
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                let _ = file.read_to_string(&mut who);
                let who = if who.trim().is_empty() { "another process" } else { who.trim() };
                bail!(
                    "{who} is writing into {}: two would spoil the run; wait for it, stop it, or choose another folder",
                    folder.display()
                );
            }
            Err(TryLockError::Error(error)) if cannot_lock(&error) => {
                tracing::warn!(
                    "{} lies where files cannot be locked ({error}): see to it that nobody else writes into it",
                    folder.display()
                );
                Ok(Self { _file: None })
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {}{}", std::process::id(), machine().map_or_else(String::new, |name| format!(" on {name}")))
}

/// The name of this machine, where it is easily had.
fn machine() -> Option<String> {
    let name = std::fs::read_to_string("/etc/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Whether the file system, not somebody else, is why.
fn cannot_lock(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported
        || [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS, libc::ENOTSUP].map(Some).contains(&error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_may_write_and_the_next_one_after_it() {
        let home = tempfile::tempdir().expect("a folder");
        let held = FolderLock::take(home.path()).expect("free");
        let error = FolderLock::take(home.path()).expect_err("held").to_string();
        let own = format!("process {}", std::process::id());
        assert!(error.contains(&own) && error.contains("is writing into"), "{error}");
        drop(held);
        FolderLock::take(home.path()).expect("free again");
    }

    #[test]
    fn a_copied_folder_is_not_locked_and_an_older_signature_is_none() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::write(home.path().join(LOCK_FILE), "process 1 on somebody else's machine\n").expect("written");
        FolderLock::take(home.path()).expect("nobody holds it here");
        let signed = std::fs::read_to_string(home.path().join(LOCK_FILE)).expect("read");
        assert_eq!(signed.lines().count(), 1);
        assert!(!signed.contains("somebody"), "{signed}");
        assert!(FolderLock::take(&home.path().join("nothing")).is_err());
    }

    #[test]
    fn a_file_system_without_locks_is_not_somebody_else() {
        for code in [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS] {
            assert!(cannot_lock(&std::io::Error::from_raw_os_error(code)));
        }
        assert!(!cannot_lock(&std::io::Error::from_raw_os_error(libc::EACCES)));
    }
}
