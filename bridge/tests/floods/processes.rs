//! A controller, or a policy, as a process of its own: what it takes of this machine is its own then, and can be looked at.

use crate::controller::{LAYOUT, clock, endpoint, never};
use crate::hand::small_hand;
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::{
    BridgeClient, BridgeServer, ClientConfig, Clock, ControllerSpec, DriverError, ExitAction, HandDriver, Keys,
    Permissions, Rehearsal as _, SafeTargets, ServerSecurity,
};
use giraffe_robots::{Hand as _, HandError, RobotModel, Signal, SignalFrame};
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// From one turn of the controller's loop to the next.
pub const PERIOD_SECS: f32 = 0.02;
/// Names of files in a folder of keys.
pub const CONTROLLER: &str = "controller";
pub const ALLOWED: &str = "allowed";

/// A hand that is given time: these tests make this machine busy.
pub fn patient_hand() -> RobotModel {
    let mut robot = small_hand();
    robot.safety.hold_after_secs = 0.5;
    robot
}

/// A time on the clock, and how long this thread has worked, whatever else kept the machine busy.
#[derive(Clone, Copy, Default)]
struct Moment {
    wall_ns: i64,
    work_ns: i64,
}

impl Moment {
    fn now(clock: &dyn Clock) -> Self {
        let worked = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
        Self { wall_ns: clock.now().0, work_ns: worked.num_nanoseconds() }
    }
}

/// What a driver saw of the loop that calls it.
#[derive(Default)]
struct Pulse {
    turns: u64,
    last: Option<Moment>,
    worst: Moment,
    /// The longest that a thread slept that wanted to sleep for a period.
    overslept_ns: i64,
    /// Of the last command, 0 without torque.
    effort: f32,
    /// Whether the next turn is to take a second.
    hangs: bool,
}

/// A scripted hand that looks at the clock at every turn.
pub struct Timed {
    hand: ScriptedDriver,
    clock: Arc<dyn Clock>,
    pulse: Arc<Mutex<Pulse>>,
}

impl HandDriver for Timed {
    fn loop_period_secs(&self) -> f32 {
        PERIOD_SECS
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        let now = Moment::now(self.clock.as_ref());
        let mut pulse = self.pulse.lock().unwrap();
        pulse.turns += 1;
        let last = pulse.last.replace(now).unwrap_or(now);
        pulse.worst.wall_ns = pulse.worst.wall_ns.max(now.wall_ns - last.wall_ns);
        pulse.worst.work_ns = pulse.worst.work_ns.max(now.work_ns - last.work_ns);
        if std::mem::take(&mut pulse.hangs) {
            drop(pulse);
            std::thread::sleep(Duration::from_secs(1));
        }
        self.hand.advance(PERIOD_SECS)?;
        self.hand.sense(frame)
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.pulse.lock().unwrap().effort = targets.effort_scales()[0];
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.pulse.lock().unwrap().effort = 0.0;
        self.hand.release()
    }
}

/// What a controller says of itself since it was last asked.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    pub turns: u64,
    /// The longest from one turn to the next.
    pub worst_ms: f64,
    /// The most that the loop worked in that time.
    pub work_ms: f64,
    /// The longest that a thread slept which did nothing but sleep from one turn to the next: late is the machine, not the loop.
    pub asleep_ms: f64,
    pub effort: f32,
}

/// A line from our standard input: what we are to do.
fn told() -> Option<String> {
    let mut line = String::new();
    let length = std::io::stdin().lock().read_line(&mut line).unwrap();
    (length > 0).then(|| line.trim().to_owned())
}

/// Sleeps from turn to turn, and writes down how long that was.
fn sleep(pulse: &Mutex<Pulse>, stop: &AtomicBool) {
    let clock = clock();
    while !stop.load(Ordering::Relaxed) {
        let before = clock.now();
        std::thread::sleep(Duration::from_secs_f32(PERIOD_SECS));
        let slept_ns = clock.now().0 - before.0;
        let mut pulse = pulse.lock().unwrap();
        pulse.overslept_ns = pulse.overslept_ns.max(slept_ns);
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "is the controller of the other tests here, which start it as a process"]
fn a_controller_that_is_told_its_endpoint() {
    let (Some(endpoint), Some(folder)) = (told(), told()) else { panic!("nobody says where") };
    let folder = Path::new(&folder);
    let security = match Keys::read(&folder.join(CONTROLLER).with_extension("key_secret")) {
        Ok(keys) => ServerSecurity::curve(keys, Permissions::read(&folder.join(ALLOWED)).unwrap()),
        Err(_) => ServerSecurity::LocalOnly,
    };
    let (pulse, clock) = (Arc::<Mutex<Pulse>>::default(), clock());
    let hand = Timed { hand: ScriptedDriver::new(&patient_hand()), clock: clock.clone(), pulse: pulse.clone() };
    let spec = ControllerSpec::of(&patient_hand());
    let (exit, hand) = (ExitAction::Release, Box::new(hand));
    let mut server = BridgeServer::bind_secured(&endpoint, &security, spec, exit, hand, clock).unwrap();
    let stop = never();
    let flag = stop.clone();
    let thread = std::thread::spawn(move || server.run(&flag).unwrap());
    let (sleeper, flag) = (pulse.clone(), stop.clone());
    std::thread::spawn(move || sleep(&sleeper, &flag));
    while let Some(wish) = told() {
        let mut pulse = pulse.lock().unwrap();
        if wish == "hang" {
            pulse.hangs = true;
            continue;
        }
        let Moment { wall_ns, work_ns } = std::mem::take(&mut pulse.worst);
        let (turns, asleep_ns) = (std::mem::take(&mut pulse.turns), std::mem::take(&mut pulse.overslept_ns));
        let report = format!("report {turns} {wall_ns} {work_ns} {asleep_ns} {}", pulse.effort);
        drop(pulse);
        say(&report);
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

/// What a policy came to.
#[derive(Debug, Clone, Copy)]
pub struct Career {
    /// Control periods it lived through.
    pub steps: u32,
    pub states_lost: u64,
    /// In so many of them it saw the object.
    pub seen: u32,
    /// How much more memory it had at the worst than before, KiB.
    pub grown_kib: i64,
    /// How long all of it took.
    pub secs: f64,
}

#[test]
#[ignore = "is the policy of the other tests here, which start it as a process"]
fn a_policy_that_is_told_its_endpoint() {
    let (Some(at), Some(steps)) = (told(), told()) else { panic!("nobody says where") };
    let steps: u32 = steps.parse().unwrap();
    let clock = clock();
    let config = ClientConfig { connect_timeout_secs: 2.0, ..ClientConfig::new(at, &patient_hand()) };
    // What an allocator and two threads take at first is not what is asked for here.
    drop(BridgeClient::connect(
        ClientConfig { connect_timeout_secs: 0.1, endpoint: endpoint(), ..config.clone() },
        clock.clone(),
        never(),
    ));
    let quiet_kib = peak_kib("self");
    let start = clock.now();
    let mut career = Career { steps: 0, states_lost: 0, seen: 0, grown_kib: 0, secs: 0.0 };
    match BridgeClient::connect(config, clock.clone(), never()) {
        Ok(mut client) => {
            // A machine that is too busy may hold one up, not each time.
            for _ in 0..4 {
                let driven = drive(&mut client, steps - career.steps, |client| {
                    career.steps += 1;
                    career.seen += u32::from(client.object_pose().is_some());
                });
                match driven {
                    Ok(()) => break,
                    Err(error) => say(&format!("error {error}")),
                }
            }
            career.states_lost = client.report().states_lost;
        }
        Err(error) => say(&format!("error {error}")),
    }
    (career.grown_kib, career.secs) = (peak_kib("self") - quiet_kib, clock.now().secs_since(start));
    let Career { steps, states_lost, seen, grown_kib, secs } = career;
    say(&format!("career {steps} {states_lost} {seen} {grown_kib} {secs}"));
}

/// Arms, and moves a finger to and fro, so many control periods.
pub fn drive(client: &mut BridgeClient, steps: u32, mut lived: impl FnMut(&BridgeClient)) -> Result<(), HandError> {
    client.arm()?;
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame)?;
    let mut targets = frame.read(Signal::JointTarget).unwrap().to_vec();
    for step in 0..steps {
        targets[0] += if step % 20 < 10 { 0.01 } else { -0.01 };
        client.exchange(&targets, &mut frame)?;
        lived(client);
    }
    Ok(())
}

/// One of the ignored tests of this program, as a process.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it and tells it these lines.
    pub fn start(name: &str, lines: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut process = Self { child, input, output };
        lines.iter().for_each(|line| process.tell(line));
        process
    }

    pub fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line that begins with this word, without it.
    pub fn hear(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended");
            if let Some(error) = line.strip_prefix("error ") {
                // What it meets is told; whether it may is for the test to say.
                eprint!("a policy: {error}");
            }
            if let Some((_, rest)) = line.split_once(&format!("{word} ")) {
                return rest.trim().to_owned();
            }
        }
    }

    /// What a controller says when it has hung for a second.
    pub fn await_hang(&mut self) -> Report {
        std::thread::sleep(Duration::from_millis(1500));
        self.report()
    }

    /// Asks a controller.
    pub fn report(&mut self) -> Report {
        self.tell("report");
        let line = self.hear("report");
        let mut words = line.split(' ');
        let mut number = || words.next().unwrap().parse::<f64>().unwrap();
        Report {
            turns: number() as u64,
            worst_ms: number() * 1e-6,
            work_ms: number() * 1e-6,
            asleep_ms: number() * 1e-6,
            effort: number() as f32,
        }
    }

    /// What became of a policy.
    pub fn career(&mut self) -> Career {
        let line = self.hear("career");
        let mut words = line.split(' ');
        let mut number = || words.next().unwrap().parse::<f64>().unwrap();
        Career {
            steps: number() as u32,
            states_lost: number() as u64,
            seen: number() as u32,
            grown_kib: number() as i64,
            secs: number(),
        }
    }

    /// The most memory it ever had, KiB.
    pub fn peak_kib(&self) -> i64 {
        peak_kib(&self.child.id().to_string())
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Lets it end in its own time; it must have found nothing wrong.
    pub fn end(mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

/// The most memory that a process ever had, KiB.
pub fn peak_kib(process: &str) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        // After the end of its input it ends by itself, unless something went wrong.
        if std::thread::panicking() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
