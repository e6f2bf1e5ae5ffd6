//! One emulated XC330-M288: its control table, and a first-order motor behind it.

/// Answers of a servo that refuses.
pub mod refusal {
    /// Instruction not known.
    pub const INSTRUCTION: u8 = 2;
    /// Checksum of the instruction.
    pub const CRC: u8 = 3;
    /// The value makes no sense, or goals are locked by the Bus Watchdog.
    pub const DATA_RANGE: u8 = 4;
    /// Not as many bytes as the register has.
    pub const DATA_LENGTH: u8 = 5;
    /// The value is beyond a limit in the table.
    pub const DATA_LIMIT: u8 = 6;
    /// Read only, or EEPROM with torque on.
    pub const ACCESS: u8 = 7;
}

/// Model number of the XC330-M288-T.
pub const XC330_M288: u16 = 1240;
/// Bus Watchdog register after it tripped: -1.
const WATCHDOG_TRIPPED: u8 = 0xFF;
/// Speed per current of a free joint, ticks/s per mA.
const MOBILITY: f64 = 10.0;
/// Ambient temperature, degrees Celsius.
const AMBIENT: f64 = 25.0;
/// Time constant of cooling, s.
const COOLING_SECS: f64 = 60.0;
/// Heating, degrees Celsius per s at one ampere.
const HEATING: f64 = 2.7;
/// How long a servo usually does not answer after a reboot, s.
const REBOOT_SECS: f64 = 0.1;

/// What is wrong with a servo, by somebody's wish.
#[derive(Debug, Clone, Default)]
pub struct ServoFaults {
    /// Not on the bus: cable out.
    pub absent: bool,
    /// So many answers have a wrong CRC.
    pub corrupt_replies: u32,
    /// So many answers come from another id.
    pub wrong_id_replies: u32,
    /// Answers come so much later, ms.
    pub reply_delay_ms: u64,
    /// The alert bit is set although nothing is wrong.
    pub stuck_alert: bool,
    /// EEPROM cannot be written, torque or not.
    pub eeprom_locked: bool,
    /// The joint does not move.
    pub blocked: bool,
    /// Heats by this, degrees Celsius per s.
    pub heating_celsius_per_sec: f64,
    /// Writes to RAM of this address are forgotten.
    pub forgets: Option<u16>,
}

/// One servo.
#[derive(Debug, Clone)]
pub struct Servo {
    table: [u8; 256],
    /// Where the output stands, ticks of 1/4096 turn.
    pub position_ticks: f64,
    velocity: f64,
    current_ma: f64,
    /// Largest current so far, mA.
    pub peak_current_ma: f64,
    /// Temperature, degrees Celsius.
    pub temperature_celsius: f64,
    /// Supply, 0.1 V.
    pub voltage_decivolt: u16,
    /// How long it does not answer after a reboot, s.
    pub reboot_secs: f64,
    halted: bool,
    silent_secs: f64,
    gone_secs: f64,
    /// Injected.
    pub faults: ServoFaults,
}

impl Servo {
    /// A servo as it leaves the factory, except for id and baud rate (4 Mbaud), at mid travel.
    pub fn new(id: u8) -> Self {
        let mut servo = Self {
            table: [0; 256],
            position_ticks: 2048.0,
            velocity: 0.0,
            current_ma: 0.0,
            peak_current_ma: 0.0,
            temperature_celsius: 30.0,
            voltage_decivolt: 50,
            reboot_secs: REBOOT_SECS,
            halted: false,
            silent_secs: 0.0,
            gone_secs: 0.0,
            faults: ServoFaults::default(),
        };
        servo.set16(0, XC330_M288);
        servo.table[6] = 52;
        servo.table[7] = id;
        servo.table[8] = 6;
        servo.table[9] = 250;
        servo.table[11] = 3;
        servo.table[12] = 255;
        servo.table[13] = 2;
        servo.table[31] = 70;
        servo.set16(32, 70);
        servo.set16(34, 35);
        servo.set16(36, 885);
        servo.set16(38, 2352);
        servo.set32(44, 350);
        servo.set32(48, 4095);
        servo.table[63] = 52;
        servo.start_ram();
        servo
    }

    /// RAM after power-on or a reboot.
    fn start_ram(&mut self) {
        self.table[64..120].fill(0);
        self.table[68] = 2;
        self.reset_gains();
        self.set32(116, self.position_ticks.round() as i32 as u32);
        self.halted = false;
        self.silent_secs = 0.0;
        self.velocity = 0.0;
    }

    /// What a change of the operating mode does.
    fn reset_gains(&mut self) {
        self.set16(80, 0);
        self.set16(82, 0);
        self.set16(84, 400);
        self.set16(100, 885);
        let limit = self.get16(38);
        self.set16(102, limit);
        self.set32(108, 0);
        self.set32(112, 0);
    }

    /// Id.
    pub fn id(&self) -> u8 {
        self.table[7]
    }

    /// A byte of the table.
    pub fn get8(&self, address: u16) -> u8 {
        self.table[usize::from(address)]
    }

    /// Two bytes of the table.
    pub fn get16(&self, address: u16) -> u16 {
        let at = usize::from(address);
        u16::from_le_bytes([self.table[at], self.table[at + 1]])
    }

    /// Four bytes of the table.
    pub fn get32(&self, address: u16) -> u32 {
        let at = usize::from(address);
        u32::from_le_bytes([self.table[at], self.table[at + 1], self.table[at + 2], self.table[at + 3]])
    }

    /// Sets a byte, past every check.
    pub fn set8(&mut self, address: u16, value: u8) {
        self.table[usize::from(address)] = value;
    }

    /// Sets two bytes, past every check.
    pub fn set16(&mut self, address: u16, value: u16) {
        let at = usize::from(address);
        self.table[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    fn set32(&mut self, address: u16, value: u32) {
        let at = usize::from(address);
        self.table[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Whether it has torque.
    pub fn has_torque(&self) -> bool {
        self.table[64] != 0
    }

    /// Whether its Bus Watchdog stopped it.
    pub fn watchdog_tripped(&self) -> bool {
        self.table[98] == WATCHDOG_TRIPPED
    }

    /// Whether it hears anything.
    pub fn is_listening(&self) -> bool {
        !self.faults.absent && self.gone_secs <= 0.0
    }

    /// Bit 7 of the error byte while anything is in Hardware Error Status.
    pub fn alert(&self) -> u8 {
        if self.table[70] != 0 || self.faults.stuck_alert { 0x80 } else { 0 }
    }

    /// Sets bits of Hardware Error Status and shuts down if they are in Shutdown.
    pub fn trip(&mut self, bits: u8) {
        self.table[70] |= bits;
        if self.table[70] & self.table[63] != 0 {
            self.table[64] = 0;
        }
    }

    /// An instruction was heard on the bus.
    pub fn hear(&mut self) {
        self.silent_secs = 0.0;
    }

    /// Starts anew: RAM forgotten, errors too, silent for a while.
    pub fn reboot(&mut self) {
        self.start_ram();
        self.gone_secs = self.reboot_secs;
    }

    /// Bytes of the table, or why not.
    pub fn read(&mut self, address: u16, length: u16) -> Result<Vec<u8>, u8> {
        let end = usize::from(address) + usize::from(length);
        if end > self.table.len() || length == 0 {
            return Err(refusal::DATA_LENGTH);
        }
        self.show();
        Ok(self.table[usize::from(address)..end].to_vec())
    }

    /// Puts what is measured into the table.
    fn show(&mut self) {
        self.set16(126, self.current_ma.round() as i16 as u16);
        let rpm = self.velocity / 4096.0 * 60.0;
        self.set32(128, (rpm / 0.229).round() as i32 as u32);
        self.set32(132, self.position_ticks.round() as i32 as u32);
        self.set16(144, self.voltage_decivolt);
        self.table[146] = self.temperature_celsius.round() as u8;
    }

    /// Writes to the table, or says why not.
    pub fn write(&mut self, address: u16, data: &[u8]) -> Result<(), u8> {
        let end = usize::from(address) + data.len();
        if data.is_empty() || end > 120 {
            return Err(if end > 256 || data.is_empty() { refusal::DATA_LENGTH } else { refusal::ACCESS });
        }
        if address < 7 || (69..=70).contains(&address) {
            return Err(refusal::ACCESS);
        }
        if address < 64 && (self.has_torque() || self.faults.eeprom_locked) {
            return Err(refusal::ACCESS);
        }
        if (100..120).contains(&address) && self.watchdog_tripped() {
            return Err(refusal::DATA_RANGE);
        }
        self.check_value(address, data)?;
        if self.faults.forgets == Some(address) {
            return Ok(());
        }
        self.table[usize::from(address)..end].copy_from_slice(data);
        match address {
            11 => self.reset_gains(),
            98 if data[0] == 0 => self.halted = false,
            _ => {}
        }
        Ok(())
    }

    fn check_value(&self, address: u16, data: &[u8]) -> Result<(), u8> {
        match (address, data) {
            (11, [mode]) if ![0, 1, 3, 4, 5, 16].contains(mode) => Err(refusal::DATA_RANGE),
            (9, [delay]) if *delay > 254 => Err(refusal::DATA_RANGE),
            (64, [torque]) if *torque > 1 => Err(refusal::DATA_RANGE),
            (64, [1]) if self.table[70] & self.table[63] != 0 => Err(refusal::ACCESS),
            (98, [ticks]) if *ticks > 127 => Err(refusal::DATA_RANGE),
            (102, [low, high]) => {
                let wanted = i16::from_le_bytes([*low, *high]).unsigned_abs();
                if wanted > self.get16(38) { Err(refusal::DATA_LIMIT) } else { Ok(()) }
            }
            (116, [a, b, c, d]) => {
                let wanted = i32::from_le_bytes([*a, *b, *c, *d]);
                let (lowest, highest) = match self.table[11] {
                    3 => (self.get32(52) as i32, self.get32(48) as i32),
                    _ => (-1_048_575, 1_048_575),
                };
                if (lowest..=highest).contains(&wanted) { Ok(()) } else { Err(refusal::DATA_LIMIT) }
            }
            (116, _) | (102, _) => Err(refusal::DATA_LENGTH),
            _ => Ok(()),
        }
    }

    /// Lets `secs` pass.
    pub fn advance(&mut self, secs: f64) {
        self.gone_secs -= secs;
        self.silent_secs += secs;
        let watchdog = self.table[98];
        if self.has_torque() && (1..=127).contains(&watchdog) && self.silent_secs > 0.02 * f64::from(watchdog) {
            self.table[98] = WATCHDOG_TRIPPED;
            self.halted = true;
        }
        self.current_ma = if self.has_torque() && !self.halted { self.wanted_current_ma() } else { 0.0 };
        self.peak_current_ma = self.peak_current_ma.max(self.current_ma.abs());
        self.velocity = if self.faults.blocked { 0.0 } else { MOBILITY * self.current_ma };
        self.position_ticks += self.velocity * secs;
        let amperes = self.current_ma / 1000.0;
        let warming = HEATING * amperes * amperes - (self.temperature_celsius - AMBIENT) / COOLING_SECS;
        self.temperature_celsius += (warming + self.faults.heating_celsius_per_sec) * secs;
        if self.temperature_celsius >= f64::from(self.table[31]) {
            self.trip(1 << 2);
        }
        if !(self.get16(34)..=self.get16(32)).contains(&self.voltage_decivolt) {
            self.trip(1);
        }
    }

    /// Position control whose output is a current, capped by Goal Current in mode 5 only.
    fn wanted_current_ma(&self) -> f64 {
        let error = f64::from(self.get32(116) as i32) - self.position_ticks;
        let limit = match self.table[11] {
            5 => f64::from((self.get16(102) as i16).unsigned_abs()),
            3 => f64::from(self.get16(38)),
            _ => 0.0,
        };
        (f64::from(self.get16(84)) / 128.0 * error).clamp(-limit, limit)
    }
}
