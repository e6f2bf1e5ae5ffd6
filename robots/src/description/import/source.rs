//! The text of a file with everything it includes, in which each character still knows its file and line.

use super::super::grammar::too_deep;
use super::super::{MAX_FILE_BYTES, read_file};
use crate::description::{DescriptionError, Place};
use roxmltree::{Document, Node};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A file with everything it includes is at most as large as this.
const MAX_TEXT_BYTES: usize = 4 * MAX_FILE_BYTES as usize;
/// Included files of one hand, at most.
const MAX_INCLUDES: usize = 64;

/// A text put together from pieces of files.
pub(super) struct Source {
    pub(super) text: String,
    pieces: Vec<Piece>,
    file: String,
}

/// From `start` on, the text is that of `file` from `line` on.
struct Piece {
    start: usize,
    file: String,
    line: usize,
}

impl Source {
    /// Reads a file and puts in place of each `<include>` what the file it names holds.
    pub(super) fn with_includes(path: &Path) -> Result<Self, DescriptionError> {
        let mut source = Self { text: String::new(), pieces: Vec::new(), file: name_of(path) };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut state = Includes { folder: folder.to_path_buf(), open: Vec::new(), count: 0 };
        let text = read_file(path)?;
        source.append(path, &text, false, &mut state)?;
        if let Some(line) = too_deep(&source.text) {
            return Err(source.place(offset_of_line(&source.text, line)).error("elements are nested too deeply"));
        }
        Ok(source)
    }

    /// Reads a file as it is.
    pub(super) fn plain(path: &Path) -> Result<Self, DescriptionError> {
        let text = read_file(path)?;
        let file = name_of(path);
        let source = Self { pieces: vec![Piece { start: 0, file: file.clone(), line: 1 }], text, file };
        parse(&source.file, &source.text)?;
        Ok(source)
    }

    /// The parsed text. What was read by `with_includes` or `plain` parses.
    pub(super) fn document(&self) -> Result<Document<'_>, DescriptionError> {
        Document::parse(&self.text).map_err(|error| self.whole().error(format!("this is not XML: {error}")))
    }

    /// Where a character of the text stands.
    pub(super) fn place(&self, offset: usize) -> Place {
        match self.pieces.iter().rev().find(|piece| piece.start <= offset) {
            Some(piece) => {
                let lines = self.text.as_bytes()[piece.start..offset].iter().filter(|byte| **byte == b'\n').count();
                Place { file: piece.file.clone(), line: Some(piece.line + lines) }
            }
            None => self.whole(),
        }
    }

    /// Where an element stands.
    pub(super) fn place_of(&self, node: Node) -> Place {
        self.place(node.range().start)
    }

    /// The file as a whole.
    pub(super) fn whole(&self) -> Place {
        Place { file: self.file.clone(), line: None }
    }

    /// The text with these ranges blanked; everything else keeps its place.
    pub(super) fn without(&self, ranges: &[Range<usize>]) -> String {
        let mut bytes = self.text.clone().into_bytes();
        for byte in ranges.iter().flat_map(Clone::clone) {
            if bytes[byte] != b'\n' {
                bytes[byte] = b' ';
            }
        }
        String::from_utf8(bytes).unwrap_or_default()
    }

    fn append(
        &mut self,
        path: &Path,
        text: &str,
        inside_only: bool,
        state: &mut Includes,
    ) -> Result<(), DescriptionError> {
        let file = name_of(path);
        let document = parse(&file, text)?;
        let range = if inside_only { inside(&document) } else { 0..text.len() };
        state.open.push(path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
        let mut at = range.start;
        for include in document.descendants().filter(|node| node.has_tag_name("include")) {
            let line = document.text_pos_at(include.range().start).row as usize;
            let place = Place { file: file.clone(), line: Some(line) };
            self.copy(&file, text, at..include.range().start);
            at = include.range().end;
            let (included, included_text) = state.find(include, path, &place)?;
            if self.text.len() + included_text.len() > MAX_TEXT_BYTES {
                return Err(place.error(format!("with what is included, more than {MAX_TEXT_BYTES} bytes")));
            }
            self.append(&included, &included_text, true, state)?;
        }
        self.copy(&file, text, at..range.end);
        state.open.pop();
        Ok(())
    }

    fn copy(&mut self, file: &str, text: &str, range: Range<usize>) {
        let line = 1 + text.as_bytes()[..range.start].iter().filter(|byte| **byte == b'\n').count();
        self.pieces.push(Piece { start: self.text.len(), file: file.to_owned(), line });
        self.text.push_str(&text[range]);
    }
}

/// Where included files are looked for, and which are being read.
struct Includes {
    folder: PathBuf,
    open: Vec<PathBuf>,
    count: usize,
}

impl Includes {
    /// The file an `<include>` names: beside the main file, as MuJoCo has it, or beside the including one.
    fn find(&mut self, include: Node, from: &Path, place: &Place) -> Result<(PathBuf, String), DescriptionError> {
        let wrong = |problem: String| Err(place.clone().error(problem));
        let Some(name) = include.attribute("file") else {
            return wrong("<include> names no `file`".to_owned());
        };
        self.count += 1;
        if self.count > MAX_INCLUDES {
            return wrong(format!("more than {MAX_INCLUDES} files are included"));
        }
        let folders = [Some(self.folder.as_path()), from.parent()];
        let found = folders.into_iter().flatten().map(|folder| folder.join(name)).find(|path| path.is_file());
        let Some(path) = found else {
            return wrong(format!("<include> names the file `{name}`, which is not there"));
        };
        if self.open.contains(&path.canonicalize().unwrap_or_else(|_| path.clone())) {
            return wrong(format!("<include> of `{name}`, which includes this file: a circle"));
        }
        let text = read_file(&path)?;
        Ok((path, text))
    }
}

fn parse<'t>(file: &str, text: &'t str) -> Result<Document<'t>, DescriptionError> {
    let place = |line| Place { file: file.to_owned(), line: Some(line) };
    // Before anything else: the parser recurses, and a hostile file could exhaust its stack.
    if let Some(line) = too_deep(text) {
        return Err(place(line).error("elements are nested too deeply"));
    }
    Document::parse(text).map_err(|error| place(error.pos().row as usize).error(format!("this is not XML: {error}")))
}

/// What stands between the start and the end of the root element.
fn inside(document: &Document) -> Range<usize> {
    let root = document.root_element();
    match (root.first_child(), root.last_child()) {
        (Some(first), Some(last)) => first.range().start..last.range().end,
        _ => 0..0,
    }
}

fn offset_of_line(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line - 1).map(str::len).sum()
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
}
