//! Who may talk to a controller: `name  public-key  role`, one line each.

use super::{PublicKey, SecurityError};
use crate::message::Role;
use giraffe_robots::did_you_mean;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

const ROLES: [(&str, Role); 2] = [("commander", Role::Commander), ("observer", Role::Observer)];

/// Whether a name can stand in an allow-list, and in the name of a file.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.chars().all(fits)
}

/// The word for a role, in an allow-list.
pub(super) fn role_name(role: Role) -> &'static str {
    ROLES.iter().find(|(_, known)| *known == role).map_or("observer", |(name, _)| name)
}

/// One who is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// For people.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    peers: BTreeMap<PublicKey, Peer>,
}

impl AllowList {
    /// Reads the text of an allow-list. Empty lines, and what follows a `#` after a blank or at the start of a line,
    /// mean nothing.
    ///
    /// # Errors
    /// The first line that is wrong: its number, what is wrong with it, and what was expected.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SecurityError> {
        let mut list = Self::default();
        for (index, line) in text.lines().enumerate() {
            let wrong = |found: String| SecurityError::AllowList { path: path.to_owned(), line: index + 1, found };
            let words: Vec<&str> = line.split_whitespace().collect();
            // A key may begin with `#`, but never stands first or last.
            let (name, key, role) = match words.as_slice() {
                [] => continue,
                [first, ..] if first.starts_with('#') => continue,
                [name, key, role] => (*name, *key, *role),
                [name, key, role, rest, ..] if rest.starts_with('#') => (*name, *key, *role),
                words => return Err(wrong(format!("{} words", words.len()))),
            };
            list.add(name, key, role).map_err(wrong)?;
        }
        Ok(list)
    }

    fn add(&mut self, name: &str, key: &str, role: &str) -> Result<(), String> {
        if !is_name(name) {
            return Err(format!("`{name}` is no name (letters, digits, - _ . @)"));
        }
        let key: PublicKey = key.parse().map_err(|found| format!("the key of `{name}` is no public key ({found})"))?;
        let Some((_, role)) = ROLES.iter().find(|(known, _)| *known == role) else {
            let meant = did_you_mean(role, ROLES.map(|(known, _)| known));
            return Err(format!("there is no role `{role}`{meant}"));
        };
        if self.peers.values().any(|peer| peer.name == name) {
            return Err(format!("`{name}` is there twice"));
        }
        if let Some(other) = self.peers.get(&key) {
            return Err(format!("`{name}` has the same key as `{}`", other.name));
        }
        self.peers.insert(key, Peer { name: name.to_owned(), role: *role });
        Ok(())
    }

    /// Who has this key, if they are listed.
    pub fn find(&self, key: &PublicKey) -> Option<&Peer> {
        self.peers.get(key)
    }

    /// How many are listed.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether nobody is listed.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

/// An allow-list in force, and the file it can be read from anew.
#[derive(Debug)]
pub struct Permissions {
    path: PathBuf,
    list: RwLock<AllowList>,
    /// How often a reload took somebody off the list.
    removals: AtomicU64,
}

impl Permissions {
    /// Reads an allow-list.
    ///
    /// # Errors
    /// When it cannot be read, or a line of it is wrong.
    pub fn read(path: &Path) -> Result<Arc<Self>, SecurityError> {
        let list = Self::load(path)?;
        if list.is_empty() {
            tracing::warn!("{} lists nobody: nobody can talk to this controller", path.display());
        }
        Ok(Arc::new(Self { path: path.to_owned(), list: RwLock::new(list), removals: AtomicU64::new(0) }))
    }

    /// A list that is in no file, and so stays as it is.
    pub fn of(list: AllowList) -> Arc<Self> {
        Arc::new(Self { path: PathBuf::new(), list: RwLock::new(list), removals: AtomicU64::new(0) })
    }

    fn load(path: &Path) -> Result<AllowList, SecurityError> {
        let text = std::fs::read_to_string(path).map_err(|error| SecurityError::File {
            attempted: "reading",
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        AllowList::parse(&text, path)
    }

    /// Reads the file again. It is in force for the next message; who is not in it any more is not heard any more.
    ///
    /// # Errors
    /// When something is wrong with the file. Then the list of before stays in force.
    pub fn reload(&self) -> Result<usize, SecurityError> {
        let list = Self::load(&self.path)?;
        let count = list.len();
        let mut present = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let removes = present.peers.keys().any(|key| list.find(key).is_none());
        *present = list;
        if removes {
            self.removals.fetch_add(1, Ordering::Relaxed);
        }
        Ok(count)
    }

    /// How many are listed now.
    pub fn count(&self) -> usize {
        self.list.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How often a reload took somebody off the list.
    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(Ordering::Relaxed)
    }

    /// Who has this key, if they are listed now.
    pub(crate) fn find(&self, key: &PublicKey) -> Option<Peer> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).find(key).cloned()
    }
}
