//! Where mesh files are, in all the ways in which files name them, and what stands for a mesh.

use super::fit;
use super::mesh::Mesh;
use crate::model::GeomShape;
use nalgebra::{Isometry3, Translation3};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folders above the file in which meshes are looked for, its own included.
const FOLDERS: usize = 6;
/// Ways to begin a path that lies in a package, or on this machine.
const SCHEMES: [&str; 3] = ["package://", "model://", "file://"];

/// What is said of meshes that do not exist, and of those that do and are no use: one entry each, collision shapes or not.
pub(super) const MISSING: &str = "mesh files that are not there,";
pub(super) const UNREADABLE: &str = "mesh files that cannot be read,";
/// What is done with a mesh that is too large for a hand.
pub(super) const IN_MILLIMETRES: &str = "read as millimetres; give the mesh a `scale` if that is right";

/// What stands for a mesh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MeshShapes {
    /// The box around it, along its axes.
    #[default]
    BoundingBox,
    /// Of the box, ball, capsule and cylinder around it, however turned, the one of least volume.
    Fitted,
}

/// Why a mesh is not there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MeshProblem {
    Missing,
    Unreadable(String),
}

/// The mesh files of one description.
pub(super) struct Meshes {
    folders: Vec<PathBuf>,
    shapes: MeshShapes,
    known: BTreeMap<String, Result<Mesh, MeshProblem>>,
}

impl Meshes {
    /// Those of the description at `path`.
    pub(super) fn new(path: &Path, shapes: MeshShapes) -> Self {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let folders = absolute.ancestors().take(FOLDERS).map(Path::to_path_buf).collect();
        Self { folders, shapes, known: BTreeMap::new() }
    }

    /// The mesh that a file calls `named`.
    pub(super) fn read(&mut self, named: &str) -> Result<Mesh, MeshProblem> {
        if let Some(known) = self.known.get(named) {
            return known.clone();
        }
        let read = match self.find(named) {
            Some(path) => Mesh::read(&path).map_err(MeshProblem::Unreadable),
            None => Err(MeshProblem::Missing),
        };
        self.known.insert(named.to_owned(), read.clone());
        read
    }

    /// The shape that stands for a mesh, where it stands, and what it is.
    pub(super) fn around(&self, mesh: &Mesh) -> (GeomShape, Isometry3<f64>, &'static str) {
        match self.shapes {
            MeshShapes::BoundingBox => {
                let (shape, middle) = mesh.bounding_box();
                (shape, Translation3::from(middle).into(), "its bounding box")
            }
            MeshShapes::Fitted => {
                let (shape, at) = fit::least_volume(mesh.corners());
                (shape, at, "the smallest box, ball, capsule or cylinder around it")
            }
        }
    }

    /// Every place that is looked at, in words.
    pub(super) fn places(&self) -> String {
        let folders: Vec<String> = self.folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        let own = self.folders.first().map_or_else(String::new, |folder| folder.display().to_string());
        format!(
            "{} for the path as it is written (without package://, model:// and file://) and for every shorter end of it, and for \
             the bare name in `{own}` and in `meshes` there and one folder up",
            folders.join(", ")
        )
    }

    /// A path of a package is looked for in the folders above the file; so is any other that leads nowhere, and the ends of
    /// both, since packages and folders are renamed and moved.
    fn find(&self, named: &str) -> Option<PathBuf> {
        let written = named.trim().replace('\\', "/");
        let path = SCHEMES.iter().find_map(|scheme| written.strip_prefix(scheme)).unwrap_or(&written);
        let in_package = written.starts_with("package://") || written.starts_with("model://");
        if !in_package && let Some(found) = existing(&self.folders.first()?.join(path)) {
            return Some(found);
        }
        let parts: Vec<&str> =
            path.split('/').filter(|part| !part.is_empty() && *part != "." && *part != "..").collect();
        let ends = (0..parts.len().saturating_sub(1)).map(|start| parts[start..].iter().collect::<PathBuf>());
        let ends: Vec<PathBuf> = ends.collect();
        // Of a package's path first all that today's and tomorrow's names of the package allow, nearest first.
        let (whole, shorter) = ends.split_at(ends.len().min(2));
        let nearest = self.folders.iter().flat_map(|folder| whole.iter().map(|end| folder.join(end)));
        let further = shorter.iter().flat_map(|end| self.folders.iter().map(move |folder| folder.join(end)));
        let name = parts.last()?;
        let own = self.folders.first().into_iter().map(|folder| folder.join(name));
        let beside = self.folders.iter().take(2).map(|folder| folder.join("meshes").join(name));
        nearest.chain(further).chain(own).chain(beside).find_map(|path| existing(&path))
    }
}

/// The file at a path, whose name may be written in other letters, small or large.
fn existing(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_path_buf());
    }
    let name = path.file_name()?;
    let beside = path.parent()?.read_dir().ok()?.flatten().map(|entry| entry.path());
    let mut alike: Vec<PathBuf> = beside
        .filter(|other| other.file_name().is_some_and(|own| own.eq_ignore_ascii_case(name)) && other.is_file())
        .collect();
    // The order of a folder is nobody's choice.
    alike.sort();
    alike.into_iter().next()
}
