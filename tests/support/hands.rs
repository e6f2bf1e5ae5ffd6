//! Hands as somebody else might have written them.

use std::path::Path;

/// Two fingers of one hinge each.
pub const PINCH: &str = r#"<robot name="pinch">
  <link name="palm"><collision><geometry><box size="0.08 0.06 0.02"/></geometry></collision></link>
  <link name="left">
    <inertial><mass value="0.05"/><inertia ixx="2e-5" iyy="2e-5" izz="2e-5" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0.03 0 0"/><geometry><box size="0.06 0.015 0.015"/></geometry></collision>
  </link>
  <link name="right">
    <inertial><mass value="0.05"/><inertia ixx="2e-5" iyy="2e-5" izz="2e-5" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0.03 0 0"/><geometry><cylinder radius="0.008" length="0.015"/></geometry></collision>
  </link>
  <joint name="left_bend" type="revolute">
    <parent link="palm"/><child link="left"/><origin xyz="0.05 0.02 0"/><axis xyz="0 -1 0"/>
    <limit lower="0" upper="1.5" effort="0.5" velocity="6"/>
  </joint>
  <joint name="right_bend" type="revolute">
    <parent link="palm"/><child link="right"/><origin xyz="0.05 -0.02 0"/><axis xyz="0 -1 0"/>
    <limit lower="0" upper="1.5" effort="0.5" velocity="6"/>
  </joint>
</robot>
"#;

/// Writes a file below `folder`.
pub fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Copies a folder with everything in it, as `cp -r` does.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
