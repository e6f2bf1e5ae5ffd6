//! A hand before anything is learned with it, as a user meets it: described, drawn, held at rest, adopted.

use crate::support::{Finished, Process, TINY, giraffe, run_in};
use giraffe::meet::picture::{in_terminal, svg};
use giraffe::meet::stance::Stance;
use giraffe::run::config::RunConfig;
use giraffe_physics::HandSim;
use giraffe_robots::{RobotModel, load_robot_with_report};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// A palm of 12 cm with three fingers that bend up at its front and one at its side, two hinges each; `stand` is how its
/// first body stands.
fn mitten(stand: &str) -> String {
    let mut fingers = String::new();
    for (name, place) in [
        ("index", "pos=\"0.06 0.035 0\""),
        ("middle", "pos=\"0.06 0 0\""),
        ("ring", "pos=\"0.06 -0.035 0\""),
        ("thumb", "pos=\"-0.01 0.06 0\" euler=\"0 0 90\""),
    ] {
        let _ = write!(
            fingers,
            r#"<body name="{name}_1" {place}>
              <joint name="{name}_base" axis="0 -1 0" range="0 90" damping="0.05"/>
              <geom type="capsule" fromto="0.01 0 0 0.045 0 0" size="0.009" mass="0.03"/>
              <body name="{name}_2" pos="0.055 0 0">
                <joint name="{name}_tip" axis="0 -1 0" range="0 90" damping="0.05"/>
                <geom type="capsule" fromto="0.01 0 0 0.035 0 0" size="0.009" mass="0.02"/>
              </body>
            </body>"#
        );
    }
    let joints = ["index", "middle", "ring", "thumb"].map(|name| [format!("{name}_base"), format!("{name}_tip")]);
    let servos: String = joints
        .iter()
        .flatten()
        .map(|joint| format!(r#"<position joint="{joint}" kp="2" forcerange="-0.5 0.5"/>"#))
        .collect();
    format!(
        r#"<mujoco model="mitten"><compiler angle="degree"/><worldbody><body name="palm" {stand}>
          <geom name="plate" type="box" size="0.06 0.055 0.01" mass="0.3"/>{fingers}</body></worldbody>
          <actuator>{servos}</actuator></mujoco>"#
    )
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Adopts a hand with little effort.
fn adopt(folder: &Path, hand: &str, out: &str, more: &[&str]) -> Finished {
    let arguments = ["adopt", hand, "--out", out, "--starts", "40", "--hold", "20", "--json"];
    run_in(folder, &[&arguments[..], more].concat())
}

/// Reads a hand that must be in giraffe's own form.
fn strictly(path: &Path) -> RobotModel {
    let (robot, report) = load_robot_with_report(path.to_str().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.is_empty(), "{report}");
    robot
}

/// A hand 20 cm below the frame that it is judged in: an object counts as fallen where it lies.
fn high_mitten() -> String {
    let high = mitten("").replace("<body name=\"palm\"", "<body name=\"stand\"><body name=\"palm\" pos=\"0 0 -0.2\"");
    high.replacen("</worldbody>", "</body></worldbody>", 1)
}

#[test]
fn a_hand_that_cannot_hold_is_warned_about_when_it_is_described_and_when_training_begins() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "upright.xml", &mitten("euler=\"0 -90 0\""));
    let described = run_in(folder.path(), &["describe", "upright.xml", "--json", "--hold", "4"]);
    let json = described.json();
    let hold = &json["hold"];
    assert_eq!((hold["home"]["outcome"].as_str(), hold["tried"].as_u64()), (Some("failed"), Some(8)), "{hold}");
    assert!(hold["lost"].as_u64().unwrap() >= 6, "{hold}");
    assert_eq!(json["hold_share"]["held"], 0, "{json}");
    let tilt = json["facts"]["stance"]["tilt_degrees"].as_f64().unwrap();
    assert!((tilt - 90.0).abs() < 5.0, "{tilt}");
    let arguments = ["train", "--robot", "upright.xml", "--out", "run", "--steps", "64"];
    let trained = run_in(folder.path(), &[&arguments[..], &TINY[..]].concat());
    assert_eq!(trained.code, Some(0), "{trained:#?}");
    for said in [&described.stderr, &trained.stderr] {
        for part in
            ["does not hold its object", "leaves the hand after", "along -z", "90 degrees", "object_home", "`home`"]
        {
            assert!(said.contains(part), "`{part}` is not in {said}");
        }
    }
    assert!(folder.path().join("run/policy.bin").is_file(), "training went on");
    let sound = run_in(folder.path(), &["describe", "leap-right"]);
    assert!(!sound.stderr.contains("does not hold") && sound.stdout.contains("the object stays"), "{sound:#?}");
}

#[test]
fn what_a_warning_advises_is_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let bare = mitten("").replacen(r#"<geom name="plate" type="box" size="0.06 0.055 0.01" mass="0.3"/>"#, "", 1);
    for (name, text, part) in [
        ("bare.xml", bare, "Its palm has no shape"),
        ("high.xml", high_mitten(), "the origin of the first body lies too far from the palm"),
    ] {
        write(folder.path(), name, &text);
        let described = run_in(folder.path(), &["describe", name]);
        assert!(described.code == Some(0) && described.stderr.contains(part), "`{part}` is not in {described:#?}");
    }
}

#[test]
fn what_a_hand_weighs_reaches_and_touches_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mitten.xml", &mitten(""));
    let json = run_in(folder.path(), &["describe", "mitten.xml", "--json"]).json();
    let facts = &json["facts"];
    let near = |value: &Value, expected: f64| assert!((value.as_f64().unwrap() - expected).abs() < 1e-4, "{value}");
    near(&facts["total_kg"], 0.5);
    near(&facts["moving_kg"], 0.2);
    let contacts = &facts["contacts"];
    let shapes = ["palm_shapes", "link_shapes", "tip_shapes"].map(|name| contacts[name].as_u64().unwrap());
    assert_eq!((shapes, contacts["self_collision"].as_bool()), ([1, 4, 4], Some(true)), "{contacts}");
    // 36 pairs of nine links; each finger's base beside the palm, each of its tips beside that.
    let excluded = contacts["excluded_pairs"].as_u64().unwrap();
    assert_eq!((&contacts["pairs"], excluded >= 8), (&36.into(), true), "{contacts}");
    let links: Vec<String> =
        mitten("").split("<body name=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    let [near, far] = [&links[1], &links[links.len() - 1]];
    let exclude = format!("<contact><exclude body1=\"{near}\" body2=\"{far}\"/></contact></mujoco>");
    write(folder.path(), "apart.xml", &mitten("").replacen("</mujoco>", &exclude, 1));
    let apart = run_in(folder.path(), &["describe", "apart.xml", "--json"]).json();
    assert_eq!(apart["facts"]["contacts"]["excluded_pairs"], excluded + 1, "{near} and {far}");
    let tips = facts["fingertips"].as_array().unwrap();
    assert!(tips.len() == 4 && tips.iter().all(|tip| tip["reaches"].is_boolean()), "{tips:?}");
    let text = run_in(folder.path(), &["describe", "mitten.xml"]).stdout;
    for part in ["mass: 500 g, of which 200 g move", "tilted by 0 degrees", "to object", "1 of the palm"] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
}

#[test]
fn a_hand_far_below_its_frame_is_adopted_with_the_frame_at_the_palm() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "high.xml", &high_mitten());
    let report = adopt(folder.path(), "high.xml", "lowered", &[]).json();
    assert!(report["lowered_m"].as_f64().unwrap() < -0.15 || report["lowered_m"].as_f64().unwrap() > 0.15, "{report}");
    assert_eq!(report["before"]["held"], 0, "{report}");
    assert!(report["after"]["held"].as_u64().unwrap() >= 16, "{report}");
}

#[test]
fn an_adopted_hand_is_a_folder_that_is_read_strictly_and_holds_its_object() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mitten.xml", &mitten(""));
    let report = adopt(folder.path(), "mitten.xml", "my-hand", &[]).json();
    assert!(report["after"]["held"].as_u64().unwrap() >= 16, "{report}");
    assert_eq!(names_in(&folder.path().join("my-hand")), ["README.md", "hand.xml", "robot.toml"]);
    let robot = strictly(&folder.path().join("my-hand"));
    assert_eq!((robot.name.as_str(), robot.joint_count()), ("my-hand", 8));
    let at_home: Vec<f64> = report["object_home_m"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    for (written, said) in robot.palm_from_object_home.translation.vector.iter().zip(at_home) {
        assert!((f64::from(*written) - said).abs() < 1e-6, "{written} {said}");
    }
    let readme = std::fs::read_to_string(folder.path().join("my-hand/README.md")).unwrap();
    let liberties = report["liberties"].as_u64().unwrap();
    assert!(liberties > 0 && readme.contains("mitten.xml") && readme.contains("seed 1"), "{readme}");
    // The same seed is the same folder, on any number of threads.
    let mut command =
        giraffe(["adopt", "mitten.xml", "--out", "again/my-hand", "--starts", "40", "--hold", "20", "--json"]);
    std::fs::create_dir(folder.path().join("again")).unwrap();
    let again = Process::start(command.env("RAYON_NUM_THREADS", "1"), folder.path()).finish();
    assert_eq!(again.code, Some(0), "{again:#?}");
    for name in names_in(&folder.path().join("my-hand")) {
        let read = |inside: &str| std::fs::read_to_string(folder.path().join(inside).join(&name)).unwrap();
        assert!(read("my-hand") == read("again/my-hand"), "{name} differs");
    }
    // And a hand like any other.
    let again = run_in(folder.path(), &["describe", "my-hand", "--hold", "20", "--json"]);
    assert_eq!(again.json()["hold_share"]["held"], report["after"]["held"], "{again:#?}");
}

#[test]
fn a_hand_that_lies_on_its_face_is_turned_palm_up_unless_it_is_to_stay() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "face_down.xml", &mitten("euler=\"180 0 0\""));
    let report = adopt(folder.path(), "face_down.xml", "turned", &[]).json();
    assert!(report["turned_rpy_rad"].is_array() && report["after"]["held"].as_u64().unwrap() >= 16, "{report}");
    assert!(report["stance"]["tilt_degrees"].as_f64().unwrap() > 170.0, "{report}");
    let stance = Stance::of(&strictly(&folder.path().join("turned"))).unwrap();
    assert!(stance.tilt_degrees < 5.0, "{stance:?}");
    let readme = std::fs::read_to_string(folder.path().join("turned/README.md")).unwrap();
    assert!(readme.contains("was turned by rpy"), "{readme}");
    let kept = adopt(folder.path(), "face_down.xml", "kept", &["--keep-standing", "--object", "cube-57mm"]);
    assert!(kept.json()["turned_rpy_rad"].is_null(), "{kept:#?}");
    let stance = Stance::of(&strictly(&folder.path().join("kept"))).unwrap();
    assert!(stance.tilt_degrees > 170.0, "{stance:?}");
}

#[test]
fn a_picture_is_xml_and_shows_every_shape_in_every_view() {
    for robot in ["leap-right", "shadow-right"] {
        let config = RunConfig { robot: robot.to_owned(), ..RunConfig::default() };
        let parts = config.parts().unwrap();
        let plan = giraffe_physics::EpisodePlan::at_home(&parts.scene);
        let view = HandSim::new(Arc::clone(&parts.scene), plan).snapshot();
        let text = svg(&view, "a \"hand\" & <object>");
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let views: Vec<_> = document.root_element().children().filter(|node| node.has_tag_name("g")).collect();
        assert_eq!(views.len(), 3);
        let mut expected: BTreeSet<String> = BTreeSet::from(["object".to_owned()]);
        for link in &view.shapes.links {
            expected.extend((0..link.shapes.len()).map(|shape| format!("{} {shape}", link.name)));
        }
        for drawn in views {
            let polygons = drawn.children().filter(|node| node.has_tag_name("polygon"));
            let shown: BTreeSet<String> = polygons.map(|face| face.attribute("data-of").unwrap().to_owned()).collect();
            assert_eq!(shown, expected, "{robot}");
        }
    }
}

#[test]
fn a_picture_in_a_terminal_fits_into_it_and_shows_every_part() {
    let parts = RunConfig::default().parts().unwrap();
    let view = HandSim::new(Arc::clone(&parts.scene), giraffe_physics::EpisodePlan::at_home(&parts.scene)).snapshot();
    let plain = in_terminal(&view, false);
    let lines: Vec<&str> = plain.lines().collect();
    assert!((8..=13).contains(&lines.len()), "{plain}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80 && !line.ends_with(' ')), "{plain}");
    assert!(!lines[0].is_empty() && "█▓▒░".chars().all(|part| plain.contains(part)), "{plain}");
    // The same places, in colours, of which none leaks out of its line.
    let colored = in_terminal(&view, true);
    assert_eq!(colored.lines().count(), lines.len());
    assert!(colored.contains("\x1b[38;5;") && colored.lines().all(|line| line.ends_with("\x1b[0m")), "{colored:?}");
}

#[test]
fn a_picture_is_drawn_as_its_ending_says() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mitten.xml", &mitten(""));
    for name in ["hand.svg", "hand.PNG"] {
        let drawn = run_in(folder.path(), &["describe", "mitten.xml", "--picture", name, "--json"]);
        assert_eq!(drawn.code, Some(0), "{drawn:#?}");
    }
    let text = std::fs::read_to_string(folder.path().join("hand.svg")).unwrap();
    assert!(text.starts_with("<svg ") && text.contains("from a corner"));
    let file = std::io::BufReader::new(std::fs::File::open(folder.path().join("hand.PNG")).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut dots = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut dots).unwrap();
    assert_eq!(frame.width, 3 * frame.height);
    // The object is orange: much red, little blue.
    let orange = dots.chunks(3).filter(|dot| dot[0] > 100 && dot[2] < 20).count();
    let white = dots.chunks(3).filter(|dot| *dot == [255, 255, 255]).count();
    assert!(orange > 1000 && white > dots.len() / 10, "{orange} {white}");
    let refused = run_in(folder.path(), &["describe", "mitten.xml", "--picture", "hand.jpg"]);
    assert!(refused.code == Some(2) && refused.stderr.contains(".svg or .png"), "{refused:#?}");
    let nowhere = run_in(folder.path(), &["describe", "mitten.xml", "--picture", "no/hand.svg"]);
    assert!(nowhere.code == Some(2) && nowhere.stderr.contains("no/hand.svg"), "{nowhere:#?}");
    assert_eq!(names_in(folder.path()), ["hand.PNG", "hand.svg", "mitten.xml"]);
}

#[test]
fn what_cannot_be_adopted_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mitten.xml", &mitten(""));
    write(folder.path(), "broken.xml", &mitten("").replacen("</body>", "", 1));
    std::fs::create_dir(folder.path().join("full")).unwrap();
    write(folder.path(), "full/mine.txt", "mine");
    let before = names_in(folder.path());
    for (arguments, part) in [
        (&["mitten.xml", "--out", "full"][..], "full is not empty; choose another folder with --out"),
        (&["mitten.xml", "--out", "no/where"], "there is no folder no"),
        (&["broken.xml", "--out", "new"], "broken.xml"),
        (&["none.xml", "--out", "new"], "none.xml"),
        (&["leap-rihgt", "--out", "new"], "did you mean"),
        (&["mitten.xml", "--out", "new", "--object", "cube-70m"], "did you mean"),
        (&["mitten.xml", "--out", "new", "--starts", "0"], "--starts 0"),
        (&["mitten.xml", "--out", "new", "--hold", "0"], "--hold 0"),
    ] {
        let refused = run_in(folder.path(), &[&["adopt"], arguments].concat());
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        let messages: Vec<&str> = refused.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        assert!(messages.len() == 1 && messages[0].contains(part), "`{part}` is not in {refused:#?}");
        assert_eq!(names_in(folder.path()), before, "{arguments:?}");
    }
    assert_eq!(names_in(&folder.path().join("full")), ["mine.txt"]);
}

#[test]
fn a_search_that_is_interrupted_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mitten.xml", &mitten(""));
    let arguments = ["adopt", "mitten.xml", "--out", "my-hand", "--hold", "1", "--starts", "3000"];
    let mut process = Process::start(&mut giraffe(arguments), folder.path());
    while process.is_running() && !process.has_said("settling") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    process.signal("INT");
    let finished = process.finish();
    assert_eq!(finished.code, Some(130), "{finished:#?}");
    assert!(finished.secs < 3.0 && finished.stderr.contains("nothing was written"), "{finished:#?}");
    assert_eq!(names_in(folder.path()), ["mitten.xml"]);
}
