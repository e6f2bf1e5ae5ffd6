//! Mesh files: where they are looked for, what stands for them, and hands that have visual shapes only.

use super::make::{PALM_SHAPE, fingers, hand, mjcf, palm, servos, urdf};
use super::{body, edit, folder, read, reports};
use giraffe_robots::ImportAction::{Approximated, Ignored, Warned};
use giraffe_robots::{GeomShape, ImportReport, MeshShapes, RobotModel, read_robot_file, read_robot_file_with};

/// A block of 40 x 16 x 16 mm that starts at its frame, as text STL.
const BLOCK: &str = "solid\nfacet normal 0 0 0\nouter loop\nvertex 0 -0.008 -0.008\nvertex 0.04 0.008 0.008\n\
    vertex 0.04 -0.008 0.008\nendloop\nendfacet\nendsolid\n";

const BOX: &str = "<geometry><box size=\"0.04 0.016 0.016\"/></geometry>";

/// The hand at `robots/x_description/urdf/hand.urdf`, the shape of `ia` a mesh that is called so; beside it, files.
fn named(mesh: &str, files: &[&str]) -> (RobotModel, ImportReport) {
    let text = edit(
        &urdf(),
        &format!("<origin xyz=\"0.02 0 0\"/>{BOX}"),
        &format!("<geometry><mesh filename=\"{mesh}\"/></geometry>"),
    );
    let mut all: Vec<(&str, &str)> = vec![("robots/x_description/urdf/hand.urdf", &text)];
    all.extend(files.iter().map(|file| (*file, BLOCK)));
    let folder = folder(&all);
    read_robot_file(&folder.path().join(all[0].0)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_mesh_is_found_in_all_the_ways_in_which_files_name_it() {
    for (mesh, file) in [
        ("package://x_description/meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("model://x_description/meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("x_description/meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("../meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("package://old_name/meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("package://x_description/robots/deep/meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("file:///opt/maker/ws/src/x_description/meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("/opt/maker/ws/src/x_description/meshes/a.stl", "robots/x_description/meshes/a.stl"),
        ("..\\meshes\\a.stl", "robots/x_description/meshes/a.stl"),
        ("package://x_description/meshes/a.STL", "robots/x_description/meshes/a.stl"),
        ("a.stl", "robots/x_description/urdf/a.stl"),
        ("package://x_description/a.stl", "robots/x_description/urdf/meshes/a.stl"),
        ("a.stl", "robots/x_description/meshes/a.stl"),
    ] {
        let (robot, report) = named(mesh, &[file]);
        let link = &robot.bodies[body(&robot, "ia")];
        let GeomShape::Box { half_extents_m } = link.geoms[0].shape else { panic!("{link:?}") };
        assert!((half_extents_m[0] - 0.02).abs() < 1e-6, "{mesh}: {half_extents_m:?}");
        reports(&report, Approximated, &["collision mesh of link `ia`", "bounding box"]);
    }
}

#[test]
fn a_file_nearer_to_the_name_goes_first() {
    let text = BLOCK.replace("0.04", "0.02");
    let urdf = edit(
        &urdf(),
        &format!("<origin xyz=\"0.02 0 0\"/>{BOX}"),
        "<geometry><mesh filename=\"package://x/meshes/a.stl\"/></geometry>",
    );
    let folder = folder(&[("x/urdf/hand.urdf", &urdf), ("x/meshes/a.stl", BLOCK), ("meshes/a.stl", &text)]);
    let (robot, _) = read_robot_file(&folder.path().join("x/urdf/hand.urdf")).unwrap();
    let GeomShape::Box { half_extents_m } = robot.bodies[body(&robot, "ia")].geoms[0].shape else { panic!() };
    assert!((half_extents_m[0] - 0.02).abs() < 1e-6);
}

#[test]
fn missing_meshes_are_one_entry_that_names_every_place_that_was_looked_at() {
    let mut text = urdf();
    for name in ["one", "two", "three", "four"] {
        let mesh = format!("<geometry><mesh filename=\"package://x/meshes/{name}.stl\"/></geometry>");
        text = edit(&text, BOX, &mesh);
    }
    let folder = folder(&[("x/urdf/hand.urdf", &text)]);
    let (_, report) = read_robot_file(&folder.path().join("x/urdf/hand.urdf")).unwrap();
    let missing: Vec<String> = report
        .warnings()
        .filter(|entry| entry.found.contains("mesh files that are not there"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(missing.len(), 1, "{report}");
    let absolute = folder.path().canonicalize().unwrap();
    super::says(&missing[0], &["`package://x/meshes/one.stl`", "and 1 more", "looked in"]);
    for place in ["x/urdf", "x", ""] {
        super::says(&missing[0], &[&format!("`{}`", absolute.join(place).display().to_string().trim_end_matches('/'))]);
    }
    assert_eq!(report.warnings().find(|entry| entry.found.contains("not there")).unwrap().count, 4);
}

#[test]
fn meshes_of_an_mjcf_file_are_looked_for_like_those_of_a_urdf_file() {
    let text = hand("").replacen(
        "<geom type=\"box\" size=\"0.02 0.008 0.008\" pos=\"0.02 0 0\"/>",
        "<geom type=\"mesh\" mesh=\"m\"/>",
        1,
    );
    for (asset, file) in [
        ("meshes/a.stl", "hand/meshes/a.stl"),
        ("../assets/a.stl", "assets/a.stl"),
        ("models/assets/a.stl", "hand/assets/a.stl"),
        ("/opt/maker/hand/meshes/a.stl", "hand/meshes/a.stl"),
        ("a.stl", "hand/meshes/a.stl"),
    ] {
        let text =
            edit(&text, "<worldbody>", &format!("<asset><mesh name=\"m\" file=\"{asset}\"/></asset><worldbody>"));
        let folder = folder(&[("hand/hand.xml", &text), (file, BLOCK)]);
        let (robot, report) = read_robot_file(&folder.path().join("hand/hand.xml")).unwrap();
        assert_eq!(robot.bodies[body(&robot, "ia")].geoms.len(), 1, "{asset}\n{report}");
    }
}

#[test]
fn meshes_that_cannot_be_read_are_one_entry_with_the_reason() {
    for (content, reason) in [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        ("solid\nvertex 0 0\n", "damaged"),
    ] {
        let mut text = urdf();
        for name in ["one", "two"] {
            text = edit(&text, BOX, &format!("<geometry><mesh filename=\"{name}.stl\"/></geometry>"));
        }
        let folder = folder(&[("hand.urdf", &text), ("one.stl", content), ("two.stl", content)]);
        let (_, report) = read_robot_file(&folder.path().join("hand.urdf")).unwrap();
        reports(&report, Warned, &["mesh files that cannot be read, `one.stl`, `two.stl`", reason]);
    }
}

#[test]
fn a_mesh_in_millimetres_is_noticed() {
    let large = BLOCK.replace("0.04", "2000").replace("0.008", "400");
    let text =
        edit(&urdf(), &format!("<origin xyz=\"0.02 0 0\"/>{BOX}"), "<geometry><mesh filename=\"a.stl\"/></geometry>");
    let folder = folder(&[("hand.urdf", &text), ("a.stl", &large)]);
    let (robot, report) = read_robot_file(&folder.path().join("hand.urdf")).unwrap();
    let GeomShape::Box { half_extents_m } = robot.bodies[body(&robot, "ia")].geoms[0].shape else { panic!() };
    assert!((half_extents_m[0] - 1.0).abs() < 1e-5, "{half_extents_m:?}");
    reports(&report, Warned, &["more than a metre", "`ia`", "millimetres"]);
}

#[test]
fn a_hand_without_collision_shapes_touches_with_its_visual_ones() {
    let seen = urdf().replace("collision>", "visual>");
    let (robot, report) = super::read(&[("hand.urdf", &seen)]);
    let (whole, _) = super::read(&[("hand.urdf", &urdf())]);
    assert_eq!(robot.bodies, whole.bodies);
    let entries: Vec<String> = report.warnings().map(ToString::to_string).collect();
    assert_eq!(entries.len(), 1, "{report}");
    super::says(&entries[0], &["no collision shape", "`palm`", "and 4 more", "visual shapes are what touches"]);

    let seen = hand("").replace("<geom type", "<geom contype=\"0\" conaffinity=\"0\" type");
    let (robot, report) = super::read(&[("hand.xml", &seen)]);
    let (whole, _) = super::read(&[("hand.xml", &hand(""))]);
    assert_eq!((&robot.bodies, &robot.contact_excludes), (&whole.bodies, &whole.contact_excludes));
    reports(&report, Warned, &["no collision shape", "visual shapes are what touches"]);
}

#[test]
fn a_fingertip_and_a_palm_without_a_shape_get_their_visual_ones_and_others_do_not() {
    let near = "<link name=\"ia\">";
    let text = urdf();
    let hide = |text: &str, link: &str| {
        let at = text.find(link).unwrap();
        let (before, after) = text.split_at(at);
        before.to_owned() + &after.replacen("<collision>", "<visual>", 1).replacen("</collision>", "</visual>", 1)
    };
    for bare in ["<link name=\"ib\">", "<link name=\"palm\">"] {
        let (robot, report) = super::read(&[("hand.urdf", &hide(&text, bare))]);
        assert!(robot.bodies.iter().all(|body| body.geoms.len() == 1));
        reports(&report, Warned, &["no collision shape"]);
    }
    let (robot, report) = super::read(&[("hand.urdf", &hide(&text, near))]);
    assert!(robot.bodies[body(&robot, "ia")].geoms.is_empty());
    reports(&report, Ignored, &["visual shapes"]);
    assert_eq!(report.warnings().count(), 0, "{report}");
}

#[test]
fn a_hand_with_nothing_to_touch_with_is_one_loud_line() {
    let bare = mjcf(&palm(""), &servos()).replace("<geom ", "<site ");
    let (robot, report) = super::read(&[("hand.xml", &bare)]);
    assert!(robot.bodies.iter().all(|body| body.geoms.is_empty()));
    let entries: Vec<String> = report.warnings().map(ToString::to_string).collect();
    assert_eq!(entries.len(), 1, "{report}");
    super::says(&entries[0], &["WARNING", "without any shape", "nothing of it can touch"]);
    let tip = urdf();
    let at = tip.find("<link name=\"ib\">").unwrap();
    let shape = tip[at..].find("<collision>").unwrap() + at;
    let end = tip[shape..].find("</collision>").unwrap() + shape + "</collision>".len();
    let (_, report) = super::read(&[("hand.urdf", &[&tip[..shape], &tip[end..]].concat())]);
    reports(&report, Warned, &["fingertips without a shape `ib`"]);
}

#[test]
fn fitted_shapes_are_no_larger_than_boxes_and_are_written_for_keeps() {
    // A rod of 60 x 10 mm that lies askew: its bounding box is far larger than it.
    let rod: String = (0..48)
        .map(|step| {
            let (angle, end) = (f64::from(step % 24) * std::f64::consts::TAU / 24.0, f64::from(step / 24));
            let (along, across, up) = (0.06 * end, 0.005 * angle.cos(), 0.005 * angle.sin());
            let (sine, cosine) = (0.6, 0.8);
            format!("vertex {} {} {}\n", cosine * along - sine * across, sine * along + cosine * across, up)
        })
        .collect();
    let text =
        edit(&urdf(), &format!("<origin xyz=\"0.02 0 0\"/>{BOX}"), "<geometry><mesh filename=\"a.stl\"/></geometry>");
    let folder = folder(&[("hand.urdf", &text), ("a.stl", &format!("solid\n{rod}endsolid\n"))]);
    let path = folder.path().join("hand.urdf");
    let (boxed, _) = read_robot_file(&path).unwrap();
    let (fitted, report) = read_robot_file_with(&path, MeshShapes::Fitted).unwrap();
    assert_eq!(read_robot_file_with(&path, MeshShapes::BoundingBox).unwrap().0, boxed);
    let shape = |robot: &RobotModel| robot.bodies[body(robot, "ia")].geoms[0].shape;
    let GeomShape::Box { half_extents_m: [x, y, _] } = shape(&boxed) else { panic!() };
    assert!(x > 0.02 && y > 0.015, "{x} {y}");
    let GeomShape::Cylinder { half_length_m, radius_m } = shape(&fitted) else { panic!("{:?}", shape(&fitted)) };
    assert!((half_length_m - 0.03).abs() < 1e-3 && (radius_m - 0.005).abs() < 3e-4, "{half_length_m} {radius_m}");
    reports(&report, Approximated, &["collision mesh of link `ia`", "smallest box, ball, capsule or cylinder"]);
    assert_eq!(boxed.kinematics_fingerprint, fitted.kinematics_fingerprint);
}

/// A palm with both kinds of shapes, fingers with visual ones only.
#[test]
fn a_body_that_has_collision_shapes_keeps_to_them_where_all_fingers_are_bare() {
    let shown = "contype=\"0\" conaffinity=\"0\" group=\"2\"";
    let bare = fingers().replace("<geom type=\"box\"", &format!("<geom {shown} type=\"box\""));
    let seen_palm = format!("<geom {shown} type=\"box\" size=\"0.08 0.08 0.08\"/>");
    let palm = format!(
        "<body name=\"palm\"><inertial pos=\"0 0 0\" mass=\"0.3\" diaginertia=\"1e-3 1e-3 1e-3\"/>\
         {PALM_SHAPE}{seen_palm}\n{bare}</body>\n"
    );
    let (robot, report) = read(&[("hand.xml", &mjcf(&palm, &servos()))]);
    assert_eq!(robot.bodies[body(&robot, "palm")].geoms.len(), 1, "what is only seen of it is left out");
    assert_eq!(robot.bodies[body(&robot, "ib")].geoms.len(), 1, "a finger touches with what is seen of it");
    let warned = report.entries.iter().find(|entry| entry.found.contains("no collision shape")).expect("said");
    assert!(!warned.found.contains("`palm`"), "{warned}");
}
