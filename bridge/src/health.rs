//! How servos are, and what they bear: temperature, overload, supply and their own alarms. Pure; nothing here knows
//! of modes and messages.

use crate::driver::{ServoAlarm, ServoHealth};
use crate::fault::Fault;
use giraffe_robots::ServoLimits;

/// A temperature that was known and has not been for so long counts as too hot, s.
const UNKNOWN_TEMPERATURE_SECS: f32 = 5.0;
/// A supply out of range for so long is a fault, s: a servo that starts to move draws the supply down for a moment.
const VOLTAGE_SECS: f32 = 0.2;
/// An overload is over when so much of its budget is left.
const OVERLOAD_CLEAR_SHARE: f32 = 0.5;
/// Readings outside are no temperatures, degrees Celsius.
const PLAUSIBLE_CELSIUS: std::ops::RangeInclusive<f32> = -40.0..=150.0;

/// What must be done about a servo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Hold the hand.
    Hold,
    /// Take torque off.
    Release,
}

/// Something that is wrong with a servo.
#[derive(Debug, Clone, PartialEq)]
pub struct Ailment {
    /// Its fault.
    pub fault: Fault,
    /// What must be done.
    pub remedy: Remedy,
    /// In words, with the joint's name and the numbers.
    pub detail: String,
}

/// What is known of one servo.
#[derive(Debug, Clone, Copy, Default)]
struct Servo {
    current_a: Option<f32>,
    temperature_celsius: Option<f32>,
    voltage_v: Option<f32>,
    /// The last temperature that was known.
    last_celsius: Option<f32>,
    unknown_secs: f32,
    voltage_wrong_secs: f32,
    /// Square of the current beyond the continuous one, summed over time: A2 s.
    overload: f32,
}

/// Watches the servos of one hand.
#[derive(Debug, Clone)]
pub struct HealthMonitor {
    limits: ServoLimits,
    names: Vec<String>,
    servos: Vec<Servo>,
    alarms: Vec<ServoAlarm>,
    said_unknown: bool,
}

impl HealthMonitor {
    /// Nothing is known yet. `names`: of the joints, canonical order.
    pub fn new(limits: ServoLimits, names: Vec<String>) -> Self {
        let servos = vec![Servo::default(); names.len()];
        Self { limits, names, servos, alarms: Vec::new(), said_unknown: false }
    }

    /// Takes in what the servos last said, `elapsed_secs` after the last call; `None` if they say nothing. Returns
    /// what is wrong now, worst first. Numbers that make no sense count as unknown.
    pub fn update(&mut self, health: Option<&ServoHealth>, elapsed_secs: f32) -> Vec<Ailment> {
        let elapsed_secs = if elapsed_secs.is_finite() { elapsed_secs.clamp(0.0, 60.0) } else { 0.0 };
        let nothing = ServoHealth::default();
        let health = health.unwrap_or(&nothing);
        self.take(health);
        self.alarms.clone_from(&health.alarms);
        let limits = self.limits;
        for servo in &mut self.servos {
            servo.let_time_pass(&limits, elapsed_secs);
        }
        let mut ailments: Vec<Ailment> = self.alarms.iter().map(alarmed).collect();
        for (name, servo) in self.names.iter().zip(&self.servos) {
            ailments.extend(servo.ailments(name, &limits));
        }
        ailments.sort_by_key(|ailment| ailment.remedy == Remedy::Hold);
        ailments
    }

    fn take(&mut self, health: &ServoHealth) {
        let count = self.servos.len();
        let read = |values: &[f32], joint: usize, plausible: &dyn Fn(f32) -> bool| {
            let value = if values.len() == count { values.get(joint).copied() } else { None };
            value.filter(|&value| value.is_finite() && plausible(value))
        };
        let mut unknown = None;
        for (joint, servo) in self.servos.iter_mut().enumerate() {
            servo.current_a = read(&health.current_a, joint, &|current| current.abs() < 100.0);
            servo.temperature_celsius =
                read(&health.temperature_celsius, joint, &|celsius| PLAUSIBLE_CELSIUS.contains(&celsius));
            servo.voltage_v = read(&health.voltage_v, joint, &|volt| (0.0..1000.0).contains(&volt));
            let lists = [
                ("current", &health.current_a, servo.current_a),
                ("temperature", &health.temperature_celsius, servo.temperature_celsius),
                ("voltage", &health.voltage_v, servo.voltage_v),
            ];
            let missing = lists.iter().find(|(_, list, value)| !list.is_empty() && value.is_none());
            unknown = unknown.or(missing.map(|(what, ..)| (joint, *what)));
        }
        if let (Some((joint, what)), false) = (unknown, self.said_unknown) {
            tracing::warn!(joint = self.names[joint], what, "a servo says no sensible number; taken as unknown");
            self.said_unknown = true;
        }
    }

    /// Share of the usual effort each servo bears, in (0, 1].
    pub fn effort_scales(&self) -> Vec<f32> {
        self.servos.iter().map(|servo| servo.effort_scale(&self.limits)).collect()
    }

    /// Whether the cause of `fault` is still there, with hysteresis: one that just went may come back at once.
    pub fn has_cause_of(&self, fault: Fault) -> bool {
        let limits = &self.limits;
        let by_number = self.servos.iter().any(|servo| match fault {
            Fault::OverTemperature => servo.celsius(limits).is_some_and(|hot| hot >= limits.derate_from_celsius),
            Fault::Overload => servo.overload > OVERLOAD_CLEAR_SHARE * overload_budget(limits),
            Fault::Voltage => servo.voltage_v.is_some_and(|volt| !limits.supply_v.contains(volt)),
            _ => false,
        });
        by_number || self.alarms.iter().any(|alarm| alarmed(alarm).fault == fault)
    }

    /// Whether the servos' own protection has tripped.
    pub fn has_alarms(&self) -> bool {
        !self.alarms.is_empty()
    }

    /// The driver ended all alarms.
    pub fn forget_alarms(&mut self) {
        self.alarms.clear();
    }

    /// Current, A; `None` if no servo says, an element is `None` where one does not.
    pub fn current_a(&self) -> Option<Vec<Option<f32>>> {
        self.known(|servo| servo.current_a)
    }

    /// Temperature, degrees Celsius; as [`HealthMonitor::current_a`].
    pub fn temperature_celsius(&self) -> Option<Vec<Option<f32>>> {
        self.known(|servo| servo.temperature_celsius)
    }

    /// Supply, V; as [`HealthMonitor::current_a`].
    pub fn voltage_v(&self) -> Option<Vec<Option<f32>>> {
        self.known(|servo| servo.voltage_v)
    }

    fn known(&self, of: impl Fn(&Servo) -> Option<f32>) -> Option<Vec<Option<f32>>> {
        let values: Vec<Option<f32>> = self.servos.iter().map(of).collect();
        values.iter().any(Option::is_some).then_some(values)
    }
}

/// What a servo's own protection trips on: torque is off there already, and the rest of the hand follows.
fn alarmed(alarm: &ServoAlarm) -> Ailment {
    let fault = match alarm.fault {
        Fault::Overload | Fault::OverTemperature | Fault::Voltage => alarm.fault,
        _ => Fault::BusError,
    };
    Ailment { fault, remedy: Remedy::Release, detail: alarm.detail.clone() }
}

/// A2 s beyond the continuous current that a cool servo bears.
fn overload_budget(limits: &ServoLimits) -> f32 {
    (limits.peak_current_a.powi(2) - limits.continuous_current_a.powi(2)) * limits.peak_secs
}

impl Servo {
    fn let_time_pass(&mut self, limits: &ServoLimits, elapsed_secs: f32) {
        match self.temperature_celsius {
            Some(celsius) => (self.last_celsius, self.unknown_secs) = (Some(celsius), 0.0),
            None => self.unknown_secs += elapsed_secs,
        }
        let wrong = self.voltage_v.is_some_and(|volt| !limits.supply_v.contains(volt));
        self.voltage_wrong_secs = if wrong { self.voltage_wrong_secs + elapsed_secs } else { 0.0 };
        if let Some(current_a) = self.current_a {
            let excess = current_a.powi(2) - limits.continuous_current_a.powi(2);
            let most = 2.0 * overload_budget(limits);
            self.overload = (self.overload + excess * elapsed_secs).clamp(0.0, most);
        }
    }

    /// The temperature to act on.
    fn celsius(&self, limits: &ServoLimits) -> Option<f32> {
        if self.unknown_secs <= UNKNOWN_TEMPERATURE_SECS {
            return self.last_celsius;
        }
        self.last_celsius.map(|celsius| celsius.max(limits.hold_from_celsius))
    }

    fn effort_scale(&self, limits: &ServoLimits) -> f32 {
        let Some(celsius) = self.celsius(limits) else { return 1.0 };
        let over = (celsius - limits.derate_from_celsius) / (limits.hold_from_celsius - limits.derate_from_celsius);
        1.0 - (1.0 - limits.least_effort) * over.clamp(0.0, 1.0)
    }

    fn ailments(&self, name: &str, limits: &ServoLimits) -> impl Iterator<Item = Ailment> {
        let hot = self.celsius(limits).filter(|celsius| *celsius >= limits.hold_from_celsius).map(|celsius| {
            let release = celsius >= limits.release_from_celsius;
            let detail = if self.temperature_celsius.is_some() {
                format!("the servo of joint `{name}` is at {celsius:.0} degrees Celsius")
            } else {
                let secs = self.unknown_secs;
                format!("the temperature of the servo of joint `{name}` has not been known for {secs:.0} s")
            };
            let remedy = if release { Remedy::Release } else { Remedy::Hold };
            Ailment { fault: Fault::OverTemperature, remedy, detail }
        });
        let overload = (self.overload >= overload_budget(limits)).then(|| {
            let (current_a, most) = (self.current_a.unwrap_or(0.0).abs(), limits.continuous_current_a);
            let detail = format!(
                "the servo of joint `{name}` drew too much for too long, now {current_a:.2} A; it bears {most:.2} A"
            );
            Ailment { fault: Fault::Overload, remedy: Remedy::Release, detail }
        });
        let supply = (self.voltage_wrong_secs > VOLTAGE_SECS).then(|| {
            let (volt, range) = (self.voltage_v.unwrap_or(0.0), limits.supply_v);
            let detail = format!(
                "the supply of joint `{name}` is {volt:.1} V, expected {:.1} to {:.1} V",
                range.lower, range.upper
            );
            Ailment { fault: Fault::Voltage, remedy: Remedy::Release, detail }
        });
        hot.into_iter().chain(overload).chain(supply)
    }
}
