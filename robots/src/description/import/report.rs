//! What was not understood of somebody else's file, and what was done about it.

use crate::description::Place;
use serde::Serialize;
use std::fmt;

/// Everything about a file that giraffe read differently than it is written, or had to add.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Name of the file that was read; `None` for a description in giraffe's own form.
    pub source: Option<String>,
    /// One entry per kind of thing: warnings first, then approximations.
    pub entries: Vec<ImportEntry>,
    /// The `robot.toml` that was assumed, to be put beside the file and corrected; `None` if there is one.
    pub robot_toml: Option<String>,
}

/// One kind of thing that was read differently, or added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportEntry {
    /// What kind of liberty was taken.
    pub action: ImportAction,
    /// File of the first occurrence.
    pub file: String,
    /// Its line, from 1, where it is known.
    pub line: Option<usize>,
    /// What the file says, with names.
    pub found: String,
    /// What was done about it.
    pub done: String,
    /// How many times it occurs.
    pub count: usize,
}

/// What kind of liberty was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportAction {
    /// To be looked at before anything else: the hand is hardly what its file means, or of little use as it is.
    Warned,
    /// Read as something near it.
    Approximated,
    /// The file does not say; a value was chosen.
    Assumed,
    /// Not read.
    Ignored,
}

impl ImportReport {
    /// Whether everything was read as it is written.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What should be looked at before anything else.
    pub fn warnings(&self) -> impl Iterator<Item = &ImportEntry> {
        self.entries.iter().filter(|entry| entry.action == ImportAction::Warned)
    }

    /// Number of entries of one kind.
    pub fn count(&self, action: ImportAction) -> usize {
        self.entries.iter().filter(|entry| entry.action == action).count()
    }
}

impl fmt::Display for ImportAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Warned => "WARNING",
            Self::Approximated => "approximated",
            Self::Assumed => "assumed",
            Self::Ignored => "ignored",
        })
    }
}

impl fmt::Display for ImportEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        write!(f, "{:<13}{}{line}: {}: {}", self.action, self.file, self.found, self.done)
    }
}

/// One line per entry.
impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

/// Notes taken while reading; those that say the same become one entry.
#[derive(Debug, Default)]
pub(super) struct Notes {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    action: ImportAction,
    place: Place,
    what: String,
    done: String,
    names: Vec<String>,
}

/// Names of one entry that are spelled out.
const SHOWN_NAMES: usize = 3;

impl Notes {
    /// Takes a note: `what` was found at `place`, called `name` (empty for nameless things), and `done` about it.
    pub(super) fn take(
        &mut self,
        action: ImportAction,
        place: &Place,
        what: impl Into<String>,
        name: &str,
        done: impl Into<String>,
    ) {
        let (what, done) = (what.into(), done.into());
        let same = |group: &&mut Group| group.action == action && group.what == what && group.done == done;
        match self.groups.iter_mut().find(same) {
            Some(group) => group.names.push(name.to_owned()),
            None => {
                self.groups.push(Group { action, place: place.clone(), what, done, names: vec![name.to_owned()] });
            }
        }
    }

    /// To be looked at before anything else.
    pub(super) fn warned(&mut self, place: &Place, what: impl Into<String>, name: &str, done: impl Into<String>) {
        self.take(ImportAction::Warned, place, what, name, done);
    }

    /// Read as something near it.
    pub(super) fn approximated(&mut self, place: &Place, what: impl Into<String>, name: &str, done: impl Into<String>) {
        self.take(ImportAction::Approximated, place, what, name, done);
    }

    /// Not said by the file.
    pub(super) fn assumed(&mut self, place: &Place, what: impl Into<String>, name: &str, done: impl Into<String>) {
        self.take(ImportAction::Assumed, place, what, name, done);
    }

    /// Not read.
    pub(super) fn ignored(&mut self, place: &Place, what: impl Into<String>, name: &str, done: impl Into<String>) {
        self.take(ImportAction::Ignored, place, what, name, done);
    }

    /// The report about `source`, warnings first.
    pub(super) fn into_report(self, source: String) -> ImportReport {
        let mut entries: Vec<ImportEntry> = self.groups.into_iter().map(Group::into_entry).collect();
        entries.sort_by_key(|entry| entry.action);
        ImportReport { source: Some(source), entries, robot_toml: None }
    }
}

impl Group {
    fn into_entry(self) -> ImportEntry {
        let Self { action, place, what, done, names } = self;
        let count = names.len();
        let mut told: Vec<&str> = Vec::new();
        for name in names.iter().map(String::as_str).filter(|name| !name.is_empty()) {
            if !told.contains(&name) {
                told.push(name);
            }
        }
        let shown: Vec<String> = told.iter().take(SHOWN_NAMES).map(|name| format!("`{name}`")).collect();
        let rest = told.len().saturating_sub(SHOWN_NAMES);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let found = match (shown.is_empty(), count) {
            (true, 1) => what,
            (true, count) => format!("{what} ({count} times)"),
            _ => format!("{what} {}{more}", shown.join(", ")),
        };
        ImportEntry { action, file: place.file, line: place.line, found, done, count }
    }
}
