//! Keys as a user meets them: made, listed, used, taken back.

use crate::support::{Controller, giraffe, run_in};
use giraffe_bridge::{BridgeClient, ClientConfig, ClientSecurity, Keys, MonotonicClock, PublicKey};
use giraffe_robots::{HandError, load_robot};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Makes keys and returns the line for an allow-list.
fn keygen(folder: &Path, name: &str) -> String {
    let finished = run_in(folder, &["keygen", name, "--dir", "keys"]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    finished.stdout
}

#[test]
fn keys_are_made_once_and_the_secret_one_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = run_in(folder.path(), &["keygen", "alice", "--dir", "keys", "--json"]).json();
    let secret = folder.path().join("keys/alice.key_secret");
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let keys = Keys::read(&secret).unwrap();
    assert_eq!(made["public_key"], keys.public().to_string());
    assert_eq!(made["allow_line"], format!("alice  {}  commander", keys.public()));
    let again = run_in(folder.path(), &["keygen", "alice", "--dir", "keys"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(2), ""));
    assert!(again.stderr.contains("exists already"), "{again:#?}");
    assert_eq!(Keys::read(&secret).unwrap().public(), keys.public());
}

#[test]
fn what_is_wrong_with_keys_is_said_before_anything_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    keygen(folder.path(), "hand");
    std::fs::write(folder.path().join("allow"), "alice nonsense comander\n").unwrap();
    let keys = ["--keys", "keys/hand.key_secret"];
    let mistakes: [(&[&str], &[&str], &str); 5] = [
        (&["serve"], &keys, "--allow"),
        (&["serve"], &["--keys", "keys/hand.key_secret", "--allow", "allow"], "allow, line 1"),
        (&["serve"], &["--keys", "keys/hand.key", "--allow", "allow"], "is NAME.key_secret meant?"),
        (&["serve"], &["--bind", "tcp://0.0.0.0:7401"], "giraffe keygen"),
        (&["deploy", "nothing"], &keys, "--server-key"),
    ];
    for (command, more, words) in mistakes {
        let finished = run_in(folder.path(), &[command, more].concat());
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert!(finished.stderr.contains(words) && finished.stdout.is_empty(), "{finished:#?}");
    }
}

#[test]
fn who_is_added_to_the_list_may_connect_after_a_hangup_signal() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str| at(name).to_string_lossy().into_owned();
    keygen(folder.path(), "hand");
    let line = keygen(folder.path(), "alice");
    std::fs::write(at("allow"), "# nobody yet\n").unwrap();
    let controller = Controller::start(|endpoint| {
        let keys = ["--keys", &text("keys/hand.key_secret"), "--allow", &text("allow")];
        let mut command = giraffe(["serve", "--driver", "scripted", "--bind", endpoint]);
        command.args(keys);
        command
    });
    let server = PublicKey::parse_or_read(&text("keys/hand.key")).unwrap();
    let security = ClientSecurity::curve(Keys::read(&at("keys/alice.key_secret")).unwrap(), server);
    let robot = load_robot("leap-right").unwrap();
    let connect = || {
        let config = ClientConfig { security: security.clone(), ..ClientConfig::new(&controller.endpoint, &robot) };
        BridgeClient::connect(config, Arc::new(MonotonicClock::start()), Arc::default()).map(drop)
    };
    let error = connect().unwrap_err();
    assert!(matches!(&error, HandError::Refused { code, .. } if code == "NOT_LISTED"), "{error}");

    let hang_up = |expected: &str| {
        controller.signal("HUP");
        for _ in 0..500 {
            if controller.has_said(expected) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it never said `{expected}`");
    };
    std::fs::write(at("allow"), &line).unwrap();
    hang_up("1 may connect");
    connect().unwrap();
    std::fs::write(at("allow"), "alice\n").unwrap();
    hang_up("the allow-list of before stays in force");
    connect().unwrap();
    assert_eq!(controller.end("TERM").0, Some(0));
}
