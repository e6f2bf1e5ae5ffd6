//! Keys of one side, and the two files they live in.

use super::SecurityError;
use super::z85::{KEY_BYTES, KEY_CHARACTERS, decode, encode};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Ending of the file that may be shown to anybody.
const PUBLIC_ENDING: &str = "key";
/// Ending of the file that nobody else may read.
const SECRET_ENDING: &str = "key_secret";
/// Longer files are none of ours.
const MAX_FILE_BYTES: u64 = 4096;

/// A public CURVE key: says who somebody is. Written in Z85.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    pub(crate) fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A key as given on a command line: itself in Z85, or the path of a file that holds it.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse_or_read(key_or_path: &str) -> Result<Self, SecurityError> {
        if let Ok(key) = key_or_path.parse() {
            return Ok(key);
        }
        let path = Path::new(key_or_path);
        if !path.exists() {
            let is_path = key_or_path.ends_with(".key") || key_or_path.len() < KEY_CHARACTERS / 2;
            let length = key_or_path.chars().count();
            let given = if is_path { format!("`{key_or_path}`") } else { format!("a text of {length} characters") };
            return Err(SecurityError::NoPublicKey { given });
        }
        if path.extension().is_some_and(|ending| ending == SECRET_ENDING) {
            return Err(SecurityError::SecretGiven { path: path.to_owned() });
        }
        let text = read_text(path, "public key")?;
        text.trim().parse().map_err(|found| SecurityError::NoKey { path: path.to_owned(), what: "public key", found })
    }
}

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        decode(text).map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A secret CURVE key. Is never shown, and overwritten when it is dropped.
struct SecretKey(Box<[u8; KEY_BYTES]>);

impl Clone for SecretKey {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.fill(0);
        // The compiler may not leave the writing out.
        std::hint::black_box(&self.0);
    }
}

/// Where a new pair was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// May be shown to anybody.
    pub public: PathBuf,
    /// Nobody else may read it.
    pub secret: PathBuf,
}

/// Both keys of one side.
#[derive(Debug, Clone)]
pub struct Keys {
    public: PublicKey,
    secret: SecretKey,
}

impl Keys {
    /// A pair that belongs together: [`Keys::generate`] draws one, in `transport/zeromq/`.
    pub(crate) fn from_pair(public: [u8; KEY_BYTES], secret: [u8; KEY_BYTES]) -> Self {
        Self { public: PublicKey(public), secret: SecretKey(Box::new(secret)) }
    }

    /// Who we are.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn secret_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.secret.0
    }

    /// Writes `NAME.key` and `NAME.key_secret` into `folder`; the second can be read by nobody else from the moment it
    /// exists.
    ///
    /// # Errors
    /// When one of them is there already, or cannot be written; when `name` cannot be a name in an allow-list.
    pub fn write(&self, folder: &Path, name: &str) -> Result<KeyFiles, SecurityError> {
        if !super::allow::is_name(name) {
            return Err(SecurityError::Name { name: name.to_owned() });
        }
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        let files = KeyFiles { public: file(PUBLIC_ENDING), secret: file(SECRET_ENDING) };
        // Asked first, so that no half of a pair is left; decided by `create_new`.
        for path in [&files.secret, &files.public] {
            if path.symlink_metadata().is_ok() {
                return Err(SecurityError::Exists { path: path.clone() });
            }
        }
        let mut secret = encode(&self.secret.0).into_bytes();
        let mut text = format!("public {}\nsecret ", self.public).into_bytes();
        text.reserve_exact(KEY_CHARACTERS + 1);
        text.extend_from_slice(&secret);
        text.push(b'\n');
        let written = write_new(&files.secret, &text, 0o600);
        text.fill(0);
        secret.fill(0);
        std::hint::black_box((&text, &secret));
        written?;
        write_new(&files.public, format!("{}\n", self.public).as_bytes(), 0o644)?;
        Ok(files)
    }

    /// Reads a `NAME.key_secret`, which holds both keys.
    ///
    /// # Errors
    /// When it is not there, others can read it, or it is no such file.
    pub fn read(path: &Path) -> Result<Self, SecurityError> {
        if path.extension().is_some_and(|ending| ending == PUBLIC_ENDING) {
            let found = "the ending of a public key's file; is NAME.key_secret meant?".to_owned();
            return Err(SecurityError::NoKey { path: path.to_owned(), what: "secret key", found });
        }
        let text = Wiped(read_text(path, "secret key")?);
        let mut lines = text.0.lines().filter(|line| !line.trim().is_empty());
        let mut key = |word: &str| {
            let found = match lines.next().and_then(|line| line.split_once(char::is_whitespace)) {
                Some((first, rest)) if first == word => decode(rest.trim()),
                _ => Err(format!("no line `{word} KEY` where it belongs")),
            };
            found.map_err(|found| SecurityError::NoKey { path: path.to_owned(), what: "secret key", found })
        };
        let public = PublicKey(key("public")?);
        let secret = SecretKey(Box::new(key("secret")?));
        Ok(Self { public, secret })
    }
}

/// Text that is overwritten when it is dropped.
struct Wiped(String);

impl Drop for Wiped {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
}

fn write_new(path: &Path, text: &[u8], mode: u32) -> Result<(), SecurityError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => SecurityError::Exists { path: path.to_owned() },
        _ => SecurityError::File { attempted: "writing", path: path.to_owned(), reason: error.to_string() },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(failed)
}

/// The text of a key file. One with a secret key must be unreadable for others: asked of the opened file, so that it
/// cannot be changed in between.
fn read_text(path: &Path, what: &'static str) -> Result<String, SecurityError> {
    let failed = |error: std::io::Error| SecurityError::File {
        attempted: "reading",
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode();
    if what == "secret key" && mode & 0o077 != 0 {
        return Err(SecurityError::Readable { path: path.to_owned(), mode: mode & 0o777 });
    }
    let mut text = String::with_capacity(MAX_FILE_BYTES as usize);
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
