//! Writes the mirror image of a hand: `hand.xml` and `robot.toml` of a left hand from those of a right one.
//!
//!     cargo run --release -p giraffe-robots --example mirror -- robots/descriptions/leap-right robots/descriptions/leap-left

use giraffe_robots::description::mirror;
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folders: Vec<PathBuf> = env::args().skip(1).map(PathBuf::from).collect();
    let [from, to] = folders.as_slice() else {
        return Err("two folders are needed: the hand's, and that of its mirror image".into());
    };
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (hand_xml, robot_toml) =
        (fs::read_to_string(from.join("hand.xml"))?, fs::read_to_string(from.join("robot.toml"))?);
    let (hand_xml, robot_toml) = mirror(&name(from), &hand_xml, &robot_toml, &name(to))?;
    fs::create_dir_all(to)?;
    fs::write(to.join("hand.xml"), hand_xml)?;
    fs::write(to.join("robot.toml"), robot_toml)?;
    Ok(())
}
