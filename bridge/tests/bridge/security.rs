//! Who may talk to a hand: over real sockets, with keys, without, and with the wrong ones.

use crate::controller::{LAYOUT, Told, Watched, await_that, clock, endpoint, never};
use crate::hand::{Rig, hello_of, small_hand};
use crate::raw::{Raw, RawKeys, key_bytes};
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::message::{
    Arm, Bye, ClearFault, Command, Estop, Granted, Hello, Hold, Ping, Pong, Refusal, Reject, Role, Stop, Welcome,
};
use giraffe_bridge::{
    BridgeClient, BridgeError, BridgeServer, ClientConfig, ClientSecurity, CommandVerdict, ControllerSpec, Counters,
    ExitAction, Keys, Mode, Peer, Permissions, PublicKey, SecurityError, Sender, ServerSecurity, TransportError,
    allow_line,
};
use giraffe_robots::{Hand as _, HandError, Signal, SignalFrame};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// Somebody with a pair of keys, in a folder of their own.
struct Person {
    keys: Keys,
    public: String,
    secret: String,
}

impl Person {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::generate().unwrap();
        let files = keys.write(folder.path(), "somebody").unwrap();
        let text = std::fs::read_to_string(files.secret).unwrap();
        let secret = text.lines().find_map(|line| line.strip_prefix("secret ")).unwrap().to_owned();
        Self { public: keys.public().to_string(), keys, secret }
    }

    fn raw(&self, server: &str) -> RawKeys {
        RawKeys { public: self.public.clone(), secret: self.secret.clone(), server: server.to_owned() }
    }

    fn sender(&self, name: &str, role: Role) -> Sender {
        Sender::listed(self.keys.public(), Peer { name: name.to_owned(), role })
    }
}

/// A controller with keys, in a thread.
struct Guarded {
    endpoint: String,
    keys: Person,
    permissions: Arc<Permissions>,
    list: PathBuf,
    told: Told,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(Counters, u64)>>,
    _folder: tempfile::TempDir,
}

impl Guarded {
    fn start(listed: &[(&str, &Person, Role)]) -> Self {
        Self::start_at(&endpoint(), listed)
    }

    fn start_at(bound: &str, listed: &[(&str, &Person, Role)]) -> Self {
        log();
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("allow");
        std::fs::write(&list, lines(listed)).unwrap();
        let (permissions, keys) = (Permissions::read(&list).unwrap(), Person::new());
        let security = ServerSecurity::curve(keys.keys.clone(), permissions.clone());
        let (told, stop) = (Told::default(), never());
        let robot = small_hand();
        let hand = Watched { hand: ScriptedDriver::new(&robot), told: told.clone(), simulated: false };
        let spec = ControllerSpec::of(&robot);
        let mut server =
            BridgeServer::bind_secured(bound, &security, spec, ExitAction::Release, Box::new(hand), clock()).unwrap();
        let flag = stop.clone();
        let thread = std::thread::spawn(move || {
            server.run(&flag).unwrap();
            (server.counters(), server.unlisted_count())
        });
        let endpoint = bound.replace("0.0.0.0", "127.0.0.1");
        Self { endpoint, keys, permissions, list, told, stop, thread: Some(thread), _folder: folder }
    }

    fn allow(&self, listed: &[(&str, &Person, Role)]) {
        std::fs::write(&self.list, lines(listed)).unwrap();
        self.permissions.reload().unwrap();
    }

    fn config(&self, person: &Person) -> ClientConfig {
        let security = ClientSecurity::curve(person.keys.clone(), self.keys.keys.public());
        // Whoever is told something must be told long before this.
        let connect_timeout_secs = 20.0;
        ClientConfig { security, connect_timeout_secs, ..ClientConfig::new(self.endpoint.clone(), &small_hand()) }
    }

    fn client(&self, person: &Person) -> Result<BridgeClient, HandError> {
        BridgeClient::connect(self.config(person), clock(), never())
    }

    fn raw(&self, person: &Person) -> Raw {
        Raw::connect(&self.endpoint, Some(&person.raw(&self.keys.public)))
    }

    fn released(&self) -> bool {
        self.told.lock().unwrap().last().is_none_or(Option::is_none)
    }

    /// What was counted: by the core, and before it.
    fn end(mut self) -> (Counters, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn lines(listed: &[(&str, &Person, Role)]) -> String {
    let line = |(name, person, role): &(&str, &Person, Role)| allow_line(name, &person.keys.public(), *role) + "\n";
    listed.iter().map(line).collect()
}

/// Everything that is logged by any test of this program, at every level.
fn log() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<&'static Mutex<Vec<u8>>> = OnceLock::new();
    LOG.get_or_init(|| {
        let log: &'static Mutex<Vec<u8>> = Box::leak(Box::default());
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        subscriber.with_writer(move || Tee(log)).init();
        log
    })
}

struct Tee(&'static Mutex<Vec<u8>>);

impl std::io::Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged() -> String {
    String::from_utf8_lossy(&log().lock().unwrap()).into_owned()
}

fn drive(client: &mut BridgeClient, steps: u32) -> Result<f32, HandError> {
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame)?;
    let mut targets = frame.read(Signal::JointTarget).unwrap().to_vec();
    for _ in 0..steps {
        targets[0] += 0.02;
        client.exchange(&targets, &mut frame)?;
    }
    Ok(frame.read(Signal::JointPosition).unwrap()[0])
}

/// One that would be counted as malformed if it were judged.
fn a_command() -> Command {
    Command { episode: 0, tick: 0, state_seq: 1, t_state: 0, q: vec![0.0] }
}

#[test]
fn a_listed_commander_moves_a_hand_that_other_machines_can_reach() {
    let person = Person::new();
    let open = endpoint().replace("127.0.0.1", "0.0.0.0");
    let controller = Guarded::start_at(&open, &[("arm", &person, Role::Commander)]);
    let mut client = controller.client(&person).unwrap();
    client.arm().unwrap();
    let at = drive(&mut client, 12).unwrap();
    assert!(at > 0.1, "the finger went along, to {at}");
    client.bye();
    let (counters, unlisted) = controller.end();
    assert!(counters.accepted >= 12, "{counters:?}");
    assert_eq!((counters.bad, counters.unauthorised, unlisted), (0, 0, 0));
}

#[test]
fn strangers_get_not_one_byte_and_nothing_of_theirs_is_heard() {
    let [person, stranger] = [Person::new(), Person::new()];
    let controller = Guarded::start(&[("arm", &person, Role::Commander)]);
    let mut client = controller.client(&person).unwrap();
    let sid = client_sid(&controller, &person);
    let unlisted = stranger.raw(&controller.keys.public);
    let wrong_server = person.raw(&stranger.public);
    // Somebody else's public key does not make one of them.
    let pretender = RawKeys { public: person.public.clone(), ..stranger.raw(&controller.keys.public) };
    let raws = [None, Some(&unlisted), Some(&wrong_server), Some(&pretender)];
    let raws = raws.map(|keys| Raw::connect(&controller.endpoint, keys));
    client.arm().unwrap();
    for mut raw in raws {
        for _ in 0..5 {
            raw.request(sid, &Estop {});
            raw.request(0, &hello_of(&small_hand(), &[]));
            raw.request(sid, &Ping {});
            raw.command(sid, &a_command());
            drive(&mut client, 1).unwrap();
        }
        assert!(raw.hears_nothing(Duration::from_millis(100)));
        drive(&mut client, 1).unwrap();
    }
    assert!(!controller.released(), "nobody stopped it");
    client.bye();
    let (counters, unlisted) = controller.end();
    assert_eq!((counters.bad, counters.unauthorised, unlisted), (0, 0, 0));
}

/// The number of the session in force, which every reader knows.
fn client_sid(controller: &Guarded, person: &Person) -> u64 {
    controller.raw(person).state().0
}

#[test]
fn a_refused_policy_is_told_why_within_two_seconds() {
    let [person, stranger] = [Person::new(), Person::new()];
    let controller = Guarded::start(&[("arm", &person, Role::Commander)]);
    let open = endpoint();
    let robot = small_hand();
    let hand = Box::new(ScriptedDriver::new(&robot));
    let (spec, stop) = (ControllerSpec::of(&robot), never());
    let mut server = BridgeServer::bind(&open, spec, ExitAction::Release, hand, clock()).unwrap();
    let flag = stop.clone();
    let thread = std::thread::spawn(move || server.run(&flag).unwrap());

    let mut wrong_server = controller.config(&person);
    wrong_server.security = ClientSecurity::curve(person.keys.clone(), stranger.keys.public());
    let mut no_keys = controller.config(&person);
    no_keys.security = ClientSecurity::LocalOnly;
    let to_the_open = ClientConfig { endpoint: open, ..controller.config(&person) };
    // Where only one side encrypts, either may be the first to notice and to close: then the other can only guess.
    for (config, codes, words) in [
        (controller.config(&stranger), ["NOT_LISTED", ""], "the controller's allow-list does not have our key"),
        (wrong_server, ["SERVER_KEY", ""], "the controller's key is not the one we were given"),
        (no_keys, ["ENCRYPTION", ""], "the controller expects encryption"),
        (to_the_open, ["ENCRYPTION", "SERVER_KEY"], "does not encrypt"),
    ] {
        let clock = clock();
        let error = BridgeClient::connect(config, clock.clone(), never()).map(drop).unwrap_err();
        let secs = clock.now().as_secs();
        assert!(secs < 2.0, "{secs} s: {error}");
        assert!(matches!(&error, HandError::Refused { code, .. } if codes.contains(&code.as_str())), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    // The controller says it, too.
    await_that(|| logged().contains(&format!("its key {} is not in the allow-list", stranger.public)));
    await_that(|| logged().contains("refused a connection to `ctl`"));
}

#[test]
fn an_observer_reads_and_stops_but_neither_commands_nor_takes_the_lease() {
    let [person, watcher] = [Person::new(), Person::new()];
    let controller = Guarded::start(&[("arm", &person, Role::Commander), ("screen", &watcher, Role::Observer)]);
    let error = controller.client(&watcher).map(drop).unwrap_err();
    assert!(matches!(&error, HandError::Refused { code, .. } if code == "NOT_AUTHORIZED"), "{error}");
    assert!(error.to_string().contains("screen"), "{error}");

    let mut client = controller.client(&person).unwrap();
    let mut raw = controller.raw(&watcher);
    let hello = Hello { role: Role::Observer, ..hello_of(&small_hand(), &[]) };
    let welcome: Welcome = raw.ask(0, &hello);
    assert_eq!(welcome.mode, "off");
    let (sid, _) = raw.state();
    assert!(sid != 0, "the number of the session is no secret");
    let _: Pong = raw.ask(sid, &Ping {});
    client.arm().unwrap();
    let refusal: Refusal = raw.ask(sid, &Hold {});
    assert_eq!(refusal.code, "NOT_COMMANDER");
    for _ in 0..8 {
        raw.command(sid, &a_command());
        drive(&mut client, 1).unwrap();
    }
    assert!(!controller.released());
    let granted: Granted = raw.ask(0, &Stop {});
    assert_eq!(granted.mode, "off");
    await_that(|| controller.released());
    assert!(drive(&mut client, 3).is_err(), "the commander learns of it");
    let (counters, _) = controller.end();
    assert!(counters.unauthorised >= 1 && counters.bad == 0, "{counters:?}");
}

#[test]
fn another_commander_who_knows_the_session_cannot_command_in_it() {
    let [person, rival] = [Person::new(), Person::new()];
    let controller = Guarded::start(&[("arm", &person, Role::Commander), ("rival", &rival, Role::Commander)]);
    let mut client = controller.client(&person).unwrap();
    let mut raw = controller.raw(&rival);
    let (sid, _) = raw.state();
    let reject: Reject = raw.ask(0, &hello_of(&small_hand(), &[]));
    assert_eq!(reject.code, "LEASE_HELD");
    let refusals: [Refusal; 4] =
        [raw.ask(sid, &Arm {}), raw.ask(sid, &Hold {}), raw.ask(sid, &ClearFault {}), raw.ask(sid, &Bye {})];
    assert!(refusals.iter().all(|refusal| refusal.code == "NOT_COMMANDER"), "{refusals:?}");
    client.arm().unwrap();
    for _ in 0..8 {
        raw.command(sid, &a_command());
        drive(&mut client, 1).unwrap();
    }
    client.bye();
    let (counters, _) = controller.end();
    assert!(counters.unauthorised >= 1, "{counters:?}");
    assert_eq!(counters.bad, 0, "none was even judged");
}

#[test]
fn who_may_command_is_decided_by_key_and_not_by_session_number() {
    let [person, rival] = [Person::new(), Person::new()];
    let mut rig = Rig::plain();
    rig.sender = person.sender("arm", Role::Commander);
    rig.activate();
    let q = rig.q.clone();
    assert_eq!(rig.command(&q), CommandVerdict::Accepted);
    let dropped = |rig: &mut Rig, sender: Sender| {
        let own = std::mem::replace(&mut rig.sender, sender);
        let verdict = rig.command(&[0.1, 0.4, 0.2]);
        let refusal: Refusal = rig.ask_for(&Bye {});
        assert_eq!(refusal.code, "NOT_COMMANDER");
        rig.sender = own;
        verdict
    };
    // A key that proves itself under a new name is the same; another key under the same name is not.
    let verdict = dropped(&mut rig, rival.sender("arm", Role::Commander));
    assert_eq!(crate::hand::code(&verdict), "NOT_COMMANDER");
    for observer in [rival.sender("screen", Role::Observer), person.sender("arm", Role::Observer)] {
        let verdict = dropped(&mut rig, observer);
        assert_eq!(crate::hand::code(&verdict), "NOT_AUTHORIZED");
    }
    assert_eq!(crate::hand::code(&dropped(&mut rig, Sender::local())), "NOT_COMMANDER");
    assert_eq!((rig.core.counters().unauthorised, rig.core.counters().bad), (4, 0));
    rig.sender = person.sender("renamed", Role::Commander);
    assert_eq!(rig.command(&q), CommandVerdict::Accepted);
    assert_eq!(rig.core.mode(), Mode::Active);
    // Even garbage of an observer is not decoded.
    let screen = rival.sender("screen", Role::Observer);
    assert_eq!(crate::hand::code(&rig.core.on_cmd(&screen, &[0xff; 9], rig.now)), "NOT_AUTHORIZED");
    assert_eq!(rig.core.counters().bad, 0);
}

#[test]
fn who_is_taken_off_the_list_is_neither_heard_nor_told_anything_any_more() {
    let [person, watcher] = [Person::new(), Person::new()];
    let both = [("arm", &person, Role::Commander), ("screen", &watcher, Role::Observer)];
    let controller = Guarded::start(&both);
    let mut client = controller.client(&person).unwrap();
    let mut screen = controller.raw(&watcher);
    screen.state();
    let _: Pong = screen.ask(0, &Ping {});
    client.arm().unwrap();
    drive(&mut client, 3).unwrap();

    std::fs::write(&controller.list, "nonsense").unwrap();
    assert!(controller.permissions.reload().is_err());
    drive(&mut client, 3).expect("a broken list changes nothing");

    controller.allow(&both[1..]);
    let error = drive(&mut client, 40).expect_err("its commands are not heard");
    let told = matches!(&error, HandError::Refused { code, .. } if code == "NOT_LISTED");
    assert!(told || matches!(error, HandError::Silent { .. }), "{error}");
    let effort = || controller.told.lock().unwrap().last().cloned().flatten().map_or(0.0, |(_, effort)| effort);
    await_that(|| effort() < 1.0);
    // Those who are still listed are back by themselves.
    screen.drain();
    let (_, state) = screen.state();
    assert_eq!(state.mode, "hold");

    controller.allow(&[]);
    await_that(|| {
        screen.drain();
        screen.request(0, &Ping {});
        screen.hears_nothing(Duration::from_millis(100))
    });
    drop(client);
    let (counters, unlisted) = controller.end();
    assert!(unlisted >= 1 && counters.bad == 0, "{unlisted}, {counters:?}");
}

#[test]
fn no_secret_is_ever_shown() {
    let [person, stranger] = [Person::new(), Person::new()];
    let controller = Guarded::start(&[("arm", &person, Role::Commander)]);
    let config = controller.config(&person);
    let security = ServerSecurity::curve(controller.keys.keys.clone(), controller.permissions.clone());
    let mut shown = format!("{:?} {security:?} {config:?} {:#?}", person.keys, config.security);
    assert!(shown.contains("(hidden)") && shown.contains(&person.public));
    drop(controller.client(&person).unwrap());
    for refused in [controller.config(&stranger), ClientConfig { security: ClientSecurity::LocalOnly, ..config }] {
        let error = BridgeClient::connect(refused, clock(), never()).map(drop).unwrap_err();
        shown += &format!("{error} {error:?}");
    }
    let given = PublicKey::parse_or_read(&format!("{} ", person.secret)).unwrap_err();
    shown += &format!("{given} {given:?}");
    await_that(|| logged().contains(&stranger.public));
    shown += &logged();
    for secret in [&person.secret, &stranger.secret, &controller.keys.secret] {
        assert!(!shown.contains(secret.as_str()));
        let numbers = format!("{:?}", &key_bytes(secret)[..6]);
        assert!(!shown.contains(numbers.trim_matches(['[', ']'])), "nor as a list of numbers");
    }
}

#[test]
fn a_build_that_cannot_encrypt_refuses_keys_instead_of_going_on_in_clear_text() {
    let person = Person::new();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("allow");
    std::fs::write(&list, lines(&[("arm", &person, Role::Commander)])).unwrap();
    let permissions = Permissions::read(&list).unwrap();
    let security = ServerSecurity::curve(person.keys.clone(), permissions.clone()).with_probe(|| false);
    let bind = |at: &str, security: &ServerSecurity| {
        let robot = small_hand();
        let (hand, spec) = (Box::new(ScriptedDriver::new(&robot)), ControllerSpec::of(&robot));
        BridgeServer::bind_secured(at, security, spec, ExitAction::Release, hand, clock()).map(drop)
    };
    let at = endpoint();
    for address in [at.clone(), at.replace("127.0.0.1", "0.0.0.0")] {
        let error = bind(&address, &security).unwrap_err();
        assert!(matches!(error, BridgeError::Transport(TransportError::Security(SecurityError::NoCurve))), "{error}");
    }
    let security = ClientSecurity::curve(person.keys.clone(), person.keys.public()).with_probe(|| false);
    let config = ClientConfig { security, ..ClientConfig::new(at.clone(), &small_hand()) };
    let error = BridgeClient::connect(config, clock(), never()).map(drop).unwrap_err().to_string();
    assert!(error.contains("cannot encrypt"), "{error}");
    // Without keys other machines are shut out whatever the build can do; with keys and a build that can, they are not.
    let open = at.replace("127.0.0.1", "0.0.0.0");
    let error = bind(&open, &ServerSecurity::LocalOnly).unwrap_err();
    assert!(matches!(error, BridgeError::Transport(TransportError::NotLoopback { .. })), "{error}");
    assert!(giraffe_bridge::can_encrypt(), "this build can");
    bind(&open, &ServerSecurity::curve(person.keys.clone(), permissions)).unwrap();
}
