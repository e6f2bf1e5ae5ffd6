//! Key files and allow-lists: what is in them, who may read them, and what is said when they are wrong.

use giraffe_bridge::message::Role;
use giraffe_bridge::{AllowList, Keys, Permissions, PublicKey, SecurityError, allow_line};
use std::fs::Permissions as Mode;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

#[test]
fn a_secret_key_is_readable_by_its_owner_alone_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::generate().unwrap();
    let files = keys.write(folder.path(), "hand").unwrap();
    assert_eq!(std::fs::metadata(&files.secret).unwrap().mode() & 0o777, 0o600);
    assert_eq!(Keys::read(&files.secret).unwrap().public(), keys.public());
    assert_eq!(PublicKey::parse_or_read(files.public.to_str().unwrap()).unwrap(), keys.public());
    assert_eq!(PublicKey::parse_or_read(&keys.public().to_string()).unwrap(), keys.public());

    let before = std::fs::read(&files.secret).unwrap();
    let again = Keys::generate().unwrap().write(folder.path(), "hand").unwrap_err();
    assert!(matches!(again, SecurityError::Exists { .. }), "{again}");
    std::fs::remove_file(&files.secret).unwrap();
    let half = Keys::generate().unwrap().write(folder.path(), "hand").unwrap_err();
    assert!(matches!(half, SecurityError::Exists { .. }) && !files.secret.exists(), "no half of a pair: {half}");
    std::fs::write(&files.secret, before).unwrap();
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&files.secret, Mode::from_mode(mode)).unwrap();
        let error = Keys::read(&files.secret).unwrap_err();
        assert!(matches!(error, SecurityError::Readable { mode: found, .. } if found == mode), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    std::fs::set_permissions(&files.secret, Mode::from_mode(0o600)).unwrap();
    assert!(Keys::read(&files.secret).is_ok());
}

#[test]
fn a_file_that_holds_no_key_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let files = Keys::generate().unwrap().write(folder.path(), "hand").unwrap();
    // The two exchanged: as likely as anything.
    assert!(matches!(Keys::read(&files.public), Err(SecurityError::NoKey { .. })));
    let secret = files.secret.to_str().unwrap();
    assert!(matches!(PublicKey::parse_or_read(secret), Err(SecurityError::SecretGiven { .. })));
    assert!(matches!(PublicKey::parse_or_read("nowhere.key"), Err(SecurityError::NoPublicKey { .. })));
    let text = std::fs::read_to_string(&files.secret).unwrap();
    for damaged in ["", "public\nsecret\n", &text[..text.len() - 3], &text.replace("secret", "sekret")] {
        std::fs::write(&files.secret, damaged).unwrap();
        let error = Keys::read(&files.secret).unwrap_err();
        assert!(matches!(error, SecurityError::NoKey { .. }), "{error}");
        let said = format!("{error} {error:?}");
        let words = damaged.split_whitespace().filter(|word| word.len() > 8);
        words.for_each(|word| assert!(!said.contains(word), "{said}"));
    }
    for name in ["", "a/b", "..", "two words", "#hash", ".hidden"] {
        let error = Keys::generate().unwrap().write(folder.path(), name).unwrap_err();
        assert!(matches!(error, SecurityError::Name { .. }), "{name}: {error}");
    }
}

#[test]
fn an_allow_list_says_who_and_its_mistakes_say_where() {
    let [a, b] = [(); 2].map(|()| Keys::generate().unwrap().public());
    let parse = |text: &str| AllowList::parse(text, Path::new("list"));
    let lines = [allow_line("arm", &a, Role::Commander), allow_line("screen", &b, Role::Observer)];
    let list = parse(&format!("# who may come in\n\n{}  # ours\n  {}\n", lines[0], lines[1])).unwrap();
    assert_eq!((list.len(), list.find(&a).unwrap().role, list.find(&b).unwrap().role), {
        (2, Role::Commander, Role::Observer)
    });
    assert_eq!(list.find(&b).unwrap().name, "screen");
    for (text, parts) in [
        (format!("\narm {a} comander"), ["line 2", "did you mean `commander`?"]),
        (format!("arm {a} king"), ["line 1", "there is no role `king`"]),
        (format!("arm {a}"), ["2 words", "name public-key commander|observer"]),
        (format!("arm {a} observer commander"), ["line 1", "4 words"]),
        ("arm abc observer".to_owned(), ["the key of `arm`", "3 characters"]),
        (format!("arm {a} observer\narm {b} observer"), ["line 2", "`arm` is there twice"]),
        (format!("arm {a} observer\nleg {a} observer"), ["line 2", "`leg` has the same key as `arm`"]),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
    }
}

#[test]
fn a_broken_list_leaves_the_one_of_before_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("allow");
    let key = Keys::generate().unwrap().public();
    std::fs::write(&path, allow_line("arm", &key, Role::Commander)).unwrap();
    let permissions = Permissions::read(&path).unwrap();
    assert_eq!(permissions.count(), 1);
    std::fs::write(&path, "arm").unwrap();
    assert!(matches!(permissions.reload(), Err(SecurityError::AllowList { line: 1, .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(permissions.reload(), Err(SecurityError::File { .. })));
    assert_eq!(permissions.count(), 1, "still in force");
    std::fs::write(&path, "# nobody\n").unwrap();
    assert_eq!(permissions.reload(), Ok(0));
    assert_eq!(permissions.count(), 0);
}
