//! A servo bus that is not there, for trying out drivers: prints the path of its port and serves until its standard
//! input ends or says `quit`.
//!
//! `cargo run -p giraffe-bridge --example servo_bus [COUNT]`; then one command a line: `absent ID`, `present ID`,
//! `hot ID CELSIUS`, `block ID`, `free ID`, `delay ID MS`, `corrupt ID COUNT`, `alert ID`, `lock ID`, `garbage`, `slow`
//! (no fast sync read), `show`, `unplug`, `plug`, `quit`.

#[path = "../tests/servo_bus/mod.rs"]
mod servo_bus;

use servo_bus::EmulatedBus;
use std::error::Error;
use std::io::{BufRead, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let count: u8 = std::env::args().nth(1).map_or(Ok(16), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let mut bus = EmulatedBus::start(count, folder.path())?;
    println!("{}", bus.port().display());
    std::io::stdout().flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["quit"] => break,
            ["unplug"] => bus.unplug(),
            ["plug"] => bus.plug()?,
            ["garbage"] => bus.bus().garbage = vec![0xAA; 40],
            ["slow"] => bus.bus().knows_fast_sync_read = false,
            ["show"] => show(&bus),
            [what, id, more @ ..] => {
                let id: u8 = id.parse()?;
                let number: f64 = more.first().map_or(Ok(0.0), |number| number.parse())?;
                if id >= count || !inject(&bus, what, id, number) {
                    eprintln!("`{line}` is not understood");
                }
            }
            _ => eprintln!("`{line}` is not understood"),
        }
    }
    Ok(())
}

fn inject(bus: &EmulatedBus, what: &str, id: u8, number: f64) -> bool {
    let mut bus = bus.bus();
    let servo = bus.servo(id);
    match what {
        "absent" => servo.faults.absent = true,
        "present" => servo.faults.absent = false,
        "hot" => servo.temperature_celsius = number,
        "block" => servo.faults.blocked = true,
        "free" => servo.faults.blocked = false,
        "delay" => servo.faults.reply_delay_ms = number as u64,
        "corrupt" => servo.faults.corrupt_replies = number as u32,
        "alert" => servo.faults.stuck_alert = true,
        "lock" => servo.faults.eeprom_locked = true,
        _ => return false,
    }
    true
}

fn show(bus: &EmulatedBus) {
    for servo in bus.bus().servos() {
        println!(
            "id {:2}  at {:7.1}  torque {}  mode {}  goal current {:4} mA  {:.1} C  error {:#04x}  watchdog {}",
            servo.id(),
            servo.position_ticks,
            u8::from(servo.has_torque()),
            servo.get8(11),
            servo.get16(102),
            servo.temperature_celsius,
            servo.get8(70),
            servo.get8(98)
        );
    }
}
