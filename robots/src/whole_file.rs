//! Files that are replaced.

use std::fs::File;
use std::io::{Result, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes a file so that it is either the old or the new one, never half, in a folder that anybody may write into. When this
/// returns the new one is on the disk, name and all.
///
/// # Errors
/// When the disk refuses; nothing is left behind then.
pub fn whole_file(path: &Path, bytes: &[u8]) -> Result<()> {
    // Like any file: who may read it is for the user's umask to say.
    let permissions = std::fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    let partial = file.into_temp_path();
    put_in_place(&partial, path)?;
    // Nobody has that name any more.
    let _ = partial.keep();
    Ok(())
}

/// Gives what is at `partial`, a file or a folder beside it, the name `path`, in place of a file that has it. When this returns
/// both are on the disk: what is in a file, and the name. What is in a folder is for the caller to see to.
///
/// # Errors
/// When the disk refuses. Unless that was at the very last, a file that had the name has it still.
pub fn put_in_place(partial: &Path, path: &Path) -> Result<()> {
    put_in_place_by(partial, path, &mut |path| File::open(path)?.sync_all())
}

/// `sync` brings to the disk what is at a path.
fn put_in_place_by(partial: &Path, path: &Path, sync: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    // Else the name may be there after a loss of power, and nothing in the file.
    sync(partial)?;
    std::fs::rename(partial, path)?;
    // The name is in the folder.
    sync(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Error;
    use std::path::PathBuf;

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

    #[test]
    fn what_is_in_a_file_is_on_the_disk_before_its_name_is_and_the_name_before_anybody_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (partial, path) = (folder.path().join("partial"), folder.path().join("whole"));
        std::fs::write(&partial, "new").expect("a file");
        std::fs::write(&path, "old").expect("a file");
        let mut synced: Vec<(PathBuf, String)> = Vec::new();
        let mut sync = |at: &Path| -> Result<()> {
            synced.push((at.to_owned(), std::fs::read_to_string(&path)?));
            Ok(())
        };
        put_in_place_by(&partial, &path, &mut sync).expect("it can be renamed");
        assert_eq!(synced, [(partial.clone(), "old".to_owned()), (folder.path().to_owned(), "new".to_owned())]);

        std::fs::write(&partial, "newer").expect("a file");
        put_in_place_by(&partial, &path, &mut |_| Err(Error::other("the disk is full"))).expect_err("it says so");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "new", "what is not on the disk takes no name");
    }
}
