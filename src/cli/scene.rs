//! Which hand, and what it holds.

use clap::Args;

/// Which hand, and what it holds.
#[derive(Debug, Default, Args)]
pub struct SceneArguments {
    /// A hand: a name from `giraffe list robots`, or the path of a folder, MJCF or URDF file.
    #[arg(long, value_name = "NAME|PATH")]
    pub robot: Option<String>,
    /// An object: a name from `giraffe list objects`.
    #[arg(long, value_name = "NAME")]
    pub object: Option<String>,
}
