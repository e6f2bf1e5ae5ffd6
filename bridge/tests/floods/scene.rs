//! A controller, the policy that commands it, and somebody who means it ill.

use crate::controller::{clock, endpoint, never};
use crate::processes::{ALLOWED, CONTROLLER, PERIOD_SECS, Process, drive, patient_hand};
use crate::raw::{Raw, RawKeys};
use giraffe_bridge::message::Role;
use giraffe_bridge::{BridgeClient, ClientConfig, ClientSecurity, Keys, allow_line};
use giraffe_robots::HandError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tempfile::TempDir;

/// What a process may grow by, KiB.
pub const MOST_KIB: i64 = 8 * 1024;
/// Every turn must be over by then, ms.
pub const WORST_MS: f64 = 2e3 * PERIOD_SECS as f64;
/// Half a second of commands.
const STEPS: u32 = 10;
/// Other programs make turns late, and never early; with many of them a command, too, comes too late now and then. So one of so
/// many half seconds must be without that. How much the loop itself works from turn to turn is its own doing always. Where
/// turns were late in each, a thread that only sleeps must have been as late in each.
const TRIES: u32 = 6;

/// What somebody does until it is over.
pub type Attack<'a> = Box<dyn FnOnce(&AtomicBool) + Send + 'a>;

/// Floods are measured one after another.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Keys of a controller, its commander, and an observer.
struct Listed {
    folder: TempDir,
    server: Keys,
    commander: Keys,
    observer: RawKeys,
}

impl Listed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [server, commander, observer] = [(); 3].map(|()| Keys::generate().unwrap());
        server.write(folder.path(), CONTROLLER).unwrap();
        let file = observer.write(folder.path(), "screen").unwrap().secret;
        let text = std::fs::read_to_string(file).unwrap();
        let secret = text.lines().find_map(|line| line.strip_prefix("secret ")).unwrap().to_owned();
        let lines = [
            allow_line("arm", &commander.public(), Role::Commander),
            allow_line("screen", &observer.public(), Role::Observer),
        ];
        std::fs::write(folder.path().join(ALLOWED), lines.join("\n")).unwrap();
        let (public, server_key) = (observer.public().to_string(), server.public().to_string());
        let observer = RawKeys { public, secret, server: server_key };
        Self { folder, server, commander, observer }
    }
}

/// A controller that is commanded.
pub struct Scene {
    pub controller: Process,
    pub endpoint: String,
    client: Option<BridgeClient>,
    listed: Option<Listed>,
    quiet_kib: i64,
    pub quiet_files: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    /// With keys, or without.
    pub fn start(with_keys: bool) -> Self {
        let alone = alone();
        let (endpoint, listed) = (endpoint(), with_keys.then(Listed::new));
        let folder = listed.as_ref().map_or("-".to_owned(), |listed| listed.folder.path().display().to_string());
        let controller = Process::start("processes::a_controller_that_is_told_its_endpoint", &[&endpoint, &folder]);
        let mut config = ClientConfig::new(endpoint.clone(), &patient_hand());
        config.connect_timeout_secs = 20.0;
        if let Some(Listed { server, commander, .. }) = &listed {
            config.security = ClientSecurity::curve(commander.clone(), server.public());
        }
        let client = Some(BridgeClient::connect(config, clock(), never()).unwrap());
        let mut scene = Self { controller, endpoint, client, listed, quiet_kib: 0, quiet_files: 0, _alone: alone };
        scene.obeys();
        (scene.quiet_kib, scene.quiet_files) = (scene.controller.peak_kib(), scene.controller.open_files());
        scene
    }

    /// The commander leaves: another may take over.
    pub fn leave(&mut self) {
        let client = self.client.take().unwrap();
        client.bye();
    }

    /// The port of a socket, counted from that of `ctl`.
    pub fn port(&self, offset: u16) -> u16 {
        self.endpoint.rsplit_once(':').unwrap().1.parse::<u16>().unwrap() + offset
    }

    /// An observer who is listed, and keeps to no rule.
    pub fn observer(&self) -> Raw {
        Raw::connect(&self.endpoint, self.listed.as_ref().map(|listed| &listed.observer))
    }

    /// Does something under attack. Whatever goes wrong with it, the attack ends.
    fn under(&mut self, attacks: Vec<Attack<'_>>, act: impl FnOnce(&mut Self)) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _over = Over(&over);
            for attack in attacks {
                let over = &over;
                scope.spawn(move || attack(over));
            }
            act(self);
        });
    }

    /// Under attack the controller turns in time, does what its commander says, holds when that falls silent, and takes no more
    /// memory.
    pub fn withstands(&mut self, attacks: Vec<Attack<'_>>) {
        self.under(attacks, |scene| {
            scene.goes_on();
            scene.holds();
        });
        self.has_not_grown();
    }

    /// The driver hangs for a second, under attack: what nobody takes is not kept without end.
    pub fn hangs_under(&mut self, attacks: Vec<Attack<'_>>) {
        self.under(attacks, |scene| {
            scene.controller.tell("hang");
            let report = scene.controller.await_hang();
            assert!(report.worst_ms > 900.0, "it did hang: {report:?}");
        });
        self.has_not_grown();
    }

    /// Turns in time, and follows.
    pub fn goes_on(&mut self) {
        let (mut late, mut unheard) = (Vec::new(), Vec::new());
        for _ in 0..TRIES {
            self.controller.report();
            let driven = self.drive();
            let report = self.controller.report();
            assert!(report.work_ms < 0.5 * WORST_MS, "from turn to turn it works less than a period: {report:?}");
            match driven {
                Err(error) => unheard.push(error),
                Ok(()) if report.worst_ms < WORST_MS && report.turns > 0 => {
                    assert!(report.effort >= 1.0, "it follows: {report:?}");
                    return;
                }
                Ok(()) => late.push(report),
            }
        }
        let is_the_machine = !late.is_empty() && late.iter().all(|report| report.asleep_ms > WORST_MS);
        assert!(is_the_machine, "never half a second of commands and turns in time: {late:?}, {unheard:?}");
    }

    /// Half a second of commands.
    fn drive(&mut self) -> Result<(), HandError> {
        drive(self.client.as_mut().unwrap(), STEPS, |_| ())
    }

    /// Obeys its commander, sooner or later.
    pub fn obeys(&mut self) {
        let refused: Vec<_> = (0..TRIES).map_while(|_| self.drive().err()).collect();
        assert!(refused.len() < TRIES as usize, "it obeys: {refused:?}");
    }

    /// Nobody commands any more: the hand is held, neither let go nor led on.
    pub fn holds(&mut self) {
        for _ in 0..150 {
            let effort = self.controller.report().effort;
            if effort < 1.0 {
                assert!(effort > 0.0, "held, not let go");
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nobody commands, and the hand is not held");
    }

    /// How many broken messages it has heard, and how many requests it has answered.
    pub fn heard(&self) -> (u64, u64) {
        let mut observer = self.observer();
        (observer.state().1.rx_bad, observer.replies())
    }

    pub fn has_not_grown(&self) {
        let grown_kib = self.controller.peak_kib() - self.quiet_kib;
        assert!(grown_kib <= MOST_KIB, "grown by {grown_kib} KiB");
    }
}

/// Ends an attack, also where a test fails: whoever attacks would be waited for.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
