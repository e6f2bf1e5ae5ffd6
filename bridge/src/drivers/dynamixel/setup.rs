//! The start-up order: who is there, then every setting written with torque off, and read back.
//!
//! 1. Model of every servo (nothing is written before all of them are known).
//! 2. Torque off; Bus Watchdog 0, which also unlocks goals that an earlier, dead controller left locked.
//! 3. EEPROM, only what differs: it wears. Return delay 0, then operating mode 5, which resets what follows.
//! 4. Gains, no profiles, goal current; read back in one piece and compared.
//!
//! What the hand's owner may have set on purpose is not overwritten but refused: start-up configuration, current limit,
//! shutdown; and, before anything is believed of a servo's angle, what shifts it: drive mode and homing offset.

use super::bus::Bus;
use super::registers::{
    BUS_WATCHDOG, CURRENT_BASED_POSITION, CURRENT_LIMIT, DRIVE_MODE, GOAL_CURRENT, HOMING_OFFSET, IDENTITY, MODELS,
    OPERATING_MODE, POSITION_D, POSITION_I, POSITION_P, PROFILE_ACCELERATION, PROFILE_VELOCITY, RETURN_DELAY, Register,
    SHUTDOWN, STARTUP_CONFIGURATION, TEMPERATURE_LIMIT, TORQUE_ENABLE, bytes, unsigned,
};
use super::strength::Strength;
use super::timing::Timing;
use crate::calibration::JointWire;
use crate::driver::{DriverError, ServoIdentity};

/// Longest a single transaction may take while setting up, s.
const ATTEMPT_SECS: f64 = 0.03;
/// Longest that finding out about one servo, or setting it up behind a quick adapter, may take, s.
const SERVO_SECS: f64 = 0.6;
/// Questions of setting up one servo, some of them asked again.
const SETUP_QUESTIONS: f64 = 40.0;
/// Bits of Shutdown that must be set: overheating and overload.
const PROTECTION: u32 = 1 << 2 | 1 << 5;
/// Highest temperature limit the manual allows, degrees Celsius.
const MAX_TEMPERATURE_LIMIT: u32 = 70;

/// Asks every servo who it is.
///
/// # Errors
/// Names all that do not answer, or the first that is something else.
pub(super) fn identify(
    bus: &mut Bus,
    names: &[String],
    wires: &[JointWire],
    timing: Timing,
) -> Result<Vec<ServoIdentity>, DriverError> {
    let (mut found, mut missing, mut last) = (Vec::new(), Vec::new(), None);
    for (name, wire) in names.iter().zip(wires) {
        bus.allow(SERVO_SECS, ATTEMPT_SECS.max(timing.single_secs));
        match bus.read(wire.id, IDENTITY) {
            Ok((data, _)) => found.push(identity(wire.id, name, &data)?),
            Err(error) => {
                missing.push(format!("{} ({name})", wire.id));
                last = Some(error);
            }
        }
        if bus.is_gone() {
            break;
        }
    }
    let Some(last) = last else { return Ok(found) };
    let attempted = format!("looking for {} servos", wires.len());
    let reason = match bus.is_gone() {
        true => last.reason,
        false => format!(
            "no answer from {}: check cables, supply, ids and baud rate (last: {})",
            missing.join(", "),
            last.reason
        ),
    };
    Err(DriverError::new(attempted, reason))
}

fn identity(id: u8, name: &str, data: &[u8]) -> Result<ServoIdentity, DriverError> {
    let number = unsigned(&data[..2]) as u16;
    let Some((_, model)) = MODELS.iter().find(|(known, _)| *known == number) else {
        let known: Vec<String> = MODELS.iter().map(|(number, name)| format!("{number} {name}")).collect();
        let reason = format!("servo {id} ({name}) has model number {number}; expected one of {}", known.join(", "));
        return Err(DriverError::new("checking the models of the servos", reason));
    };
    // A calibration is of angles as a servo leaves the factory: what shifts or turns them would shift the joint.
    for register in [DRIVE_MODE, HOMING_OFFSET] {
        let at = usize::from(register.address);
        let found = unsigned(&data[at..at + usize::from(register.length)]);
        if found != 0 {
            return Err(mismatch("finding out about", id, name, register, 0, found));
        }
    }
    Ok(ServoIdentity { id, model: (*model).to_owned(), firmware: data[6] })
}

fn mismatch(doing: &str, id: u8, name: &str, register: Register, expected: u32, found: u32) -> DriverError {
    let attempted = format!("{doing} servo {id} ({name})");
    let hint = match register {
        DRIVE_MODE | HOMING_OFFSET | STARTUP_CONFIGURATION => "; it was changed with another tool: set it back there",
        CURRENT_LIMIT => " or more; raise it with another tool or give less current",
        SHUTDOWN => " or more bits: without them the servo does not protect itself",
        TEMPERATURE_LIMIT => " or less",
        _ => "",
    };
    // Homing offsets may be negative.
    let found = if register == HOMING_OFFSET { i64::from(found as i32) } else { i64::from(found) };
    let reason = format!("{} (register {}) is {found}, expected {expected}{hint}", register.name, register.address);
    DriverError::new(attempted, reason)
}

/// One servo and what it belongs to, for messages.
struct Servo<'b> {
    bus: &'b mut Bus,
    id: u8,
    name: &'b str,
}

impl Servo<'_> {
    fn get(&mut self, register: Register) -> Result<u32, DriverError> {
        Ok(unsigned(&self.bus.read(self.id, register)?.0))
    }

    fn set(&mut self, register: Register, value: u32) -> Result<(), DriverError> {
        self.bus.write(self.id, register, &bytes(register, value))
    }

    fn expect(&mut self, register: Register, is_right: fn(u32, u32) -> bool, value: u32) -> Result<(), DriverError> {
        let found = self.get(register)?;
        match is_right(found, value) {
            true => Ok(()),
            false => Err(mismatch("setting up", self.id, self.name, register, value, found)),
        }
    }

    /// EEPROM: written only if it differs.
    fn keep(&mut self, register: Register, value: u32) -> Result<(), DriverError> {
        if self.get(register)? == value {
            return Ok(());
        }
        self.set(register, value)?;
        self.expect(register, |found, value| found == value, value)
    }
}

/// Takes torque off one servo and sets it up.
///
/// # Errors
/// Names the servo, the register, what was expected and what was found.
pub(super) fn set_up(bus: &mut Bus, name: &str, id: u8, strength: Strength, timing: Timing) -> Result<(), DriverError> {
    bus.allow(SERVO_SECS.max(SETUP_QUESTIONS * timing.single_secs), ATTEMPT_SECS.max(timing.single_secs));
    let mut servo = Servo { bus, id, name };
    let same = |found, value| found == value;
    servo.set(TORQUE_ENABLE, 0)?;
    servo.expect(TORQUE_ENABLE, same, 0)?;
    servo.set(BUS_WATCHDOG, 0)?;
    servo.expect(BUS_WATCHDOG, same, 0)?;
    // Drive mode 8 would give torque with every goal, 1 would turn the joint round; the other shifts it.
    servo.expect(DRIVE_MODE, same, 0)?;
    servo.expect(HOMING_OFFSET, same, 0)?;
    servo.expect(STARTUP_CONFIGURATION, same, 0)?;
    servo.expect(TEMPERATURE_LIMIT, |found, value| found <= value, MAX_TEMPERATURE_LIMIT)?;
    servo.expect(CURRENT_LIMIT, |found, value| found >= value, u32::from(strength.current_ma))?;
    servo.expect(SHUTDOWN, |found, value| found & value == value, PROTECTION)?;
    servo.keep(RETURN_DELAY, 0)?;
    servo.keep(OPERATING_MODE, CURRENT_BASED_POSITION)?;
    let gains = strength.gains;
    let wanted = [
        (POSITION_P, u32::from(gains.p)),
        (POSITION_I, u32::from(gains.i)),
        (POSITION_D, u32::from(gains.d)),
        (PROFILE_ACCELERATION, 0),
        (PROFILE_VELOCITY, 0),
        (GOAL_CURRENT, u32::from(strength.current_ma)),
    ];
    for (register, value) in wanted {
        servo.set(register, value)?;
    }
    wanted.into_iter().try_for_each(|(register, value)| servo.expect(register, same, value))
}
