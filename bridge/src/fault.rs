//! Fault bits of PROTOCOL.md section 6.

/// A fault, as the number of its bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// No acceptable command for too long.
    LinkLost = 0,
    /// A command came too late.
    CommandStale = 1,
    /// Three commands in a row held a number that is not finite.
    CommandNotFinite = 2,
    /// Three commands in a row had the wrong number of joints.
    CommandShape = 3,
    /// A command came twice or out of turn.
    CommandSequence = 4,
    /// Another commander took over.
    LeaseLost = 5,
    /// A joint is beyond its range.
    LimitHard = 6,
    /// A joint does not follow.
    Tracking = 7,
    /// A motor is overloaded.
    Overload = 8,
    /// A motor is too hot.
    OverTemperature = 9,
    /// The supply is out of range.
    Voltage = 10,
    /// Joints could not be read, several times in a row.
    SensorStale = 11,
    /// Motors could not be commanded.
    BusError = 12,
    /// The controller's loop came late.
    LoopOverrun = 13,
    /// No valid calibration.
    Calibration = 14,
    /// Somebody said so.
    Estop = 15,
    /// The object is not seen.
    PoseLost = 16,
    /// A mistake in the controller.
    Internal = 17,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 18] = [
        Fault::LinkLost,
        Fault::CommandStale,
        Fault::CommandNotFinite,
        Fault::CommandShape,
        Fault::CommandSequence,
        Fault::LeaseLost,
        Fault::LimitHard,
        Fault::Tracking,
        Fault::Overload,
        Fault::OverTemperature,
        Fault::Voltage,
        Fault::SensorStale,
        Fault::BusError,
        Fault::LoopOverrun,
        Fault::Calibration,
        Fault::Estop,
        Fault::PoseLost,
        Fault::Internal,
    ];

    /// As in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Fault::LinkLost => "LINK_LOST",
            Fault::CommandStale => "CMD_STALE",
            Fault::CommandNotFinite => "CMD_NOT_FINITE",
            Fault::CommandShape => "CMD_SHAPE",
            Fault::CommandSequence => "CMD_SEQUENCE",
            Fault::LeaseLost => "LEASE_LOST",
            Fault::LimitHard => "LIMIT_HARD",
            Fault::Tracking => "TRACKING",
            Fault::Overload => "OVERLOAD",
            Fault::OverTemperature => "OVERTEMP",
            Fault::Voltage => "VOLTAGE",
            Fault::SensorStale => "SENSOR_STALE",
            Fault::BusError => "BUS_ERROR",
            Fault::LoopOverrun => "LOOP_OVERRUN",
            Fault::Calibration => "CALIBRATION",
            Fault::Estop => "ESTOP",
            Fault::PoseLost => "POSE_LOST",
            Fault::Internal => "INTERNAL",
        }
    }

    /// Whether it stays until it is cleared.
    pub fn is_latched(self) -> bool {
        !matches!(
            self,
            Fault::LinkLost
                | Fault::CommandStale
                | Fault::CommandSequence
                | Fault::LeaseLost
                | Fault::LoopOverrun
                | Fault::PoseLost
        )
    }
}

/// A set of faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultSet(u64);

impl FaultSet {
    /// As on the wire; unknown bits are kept.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// As on the wire.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Adds one.
    pub fn raise(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u8;
    }

    /// Removes one.
    pub fn clear(&mut self, fault: Fault) {
        self.0 &= !(1 << fault as u8);
    }

    /// Removes those that do not stay.
    pub fn clear_passing(&mut self) {
        *self = self.latched();
    }

    /// Whether it is in the set.
    pub fn holds(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u8) != 0
    }

    /// Those that stay until cleared.
    pub fn latched(self) -> Self {
        let latched = Fault::ALL.into_iter().filter(|fault| fault.is_latched() && self.holds(*fault));
        Self(latched.fold(0, |bits, fault| bits | 1 << fault as u8))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Display for FaultSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = Fault::ALL.into_iter().filter(|fault| self.holds(*fault)).map(Fault::name).collect();
        f.write_str(&names.join(" "))
    }
}
