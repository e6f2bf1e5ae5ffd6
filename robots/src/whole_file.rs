//! Files that are replaced.

use std::io::{Result, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes a file so that it is either the old or the new one, never half, in a folder that anybody may write into.
///
/// # Errors
/// When the disk refuses; nothing is left behind then.
pub fn whole_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Like any file: who may read it is for the user's umask to say.
    let permissions = std::fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_is_readable_as_any_other_and_one_that_cannot_be_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, plain) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&path, "old and longer").expect("a file");
        std::fs::write(&plain, "").expect("a file");
        whole_file(&path, b"new").expect("it can be written");
        assert_eq!(std::fs::read(&path).expect("a file"), b"new");
        let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
        std::fs::create_dir(folder.path().join("three")).expect("a folder");
        whole_file(&folder.path().join("three"), b"new").expect_err("a folder is there");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 3, "no part of a file is left");
    }
}
