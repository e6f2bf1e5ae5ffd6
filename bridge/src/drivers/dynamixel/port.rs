//! A serial port whose every transaction ends by a deadline, and what Linux says of its USB adapter.

use super::timing::{FACTORY_LATENCY_SECS, USUAL_LATENCY_SECS};
use crate::clock::Clock;
use crate::driver::DriverError;
use giraffe_robots::Nanos;
use serialport::{ClearBuffer, DataBits, FlowControl, Parity, Result, SerialPort, StopBits};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A port with a deadline. The library on top of it waits by itself when it finds stale bytes (three times 5 ms), and
/// each of its reads may take the port's whole timeout: so stale bytes are thrown away here before it sees them, and
/// all reads of a transaction share one deadline.
pub(super) struct BoundedPort {
    inner: Box<dyn SerialPort>,
    clock: Arc<dyn Clock>,
    deadline: Nanos,
    gone: OnceLock<String>,
}

impl BoundedPort {
    /// Opens `path`, for this process alone.
    ///
    /// # Errors
    /// When it cannot be opened; says why.
    pub(super) fn open(path: &Path, baud: u32, clock: Arc<dyn Clock>) -> std::result::Result<Self, DriverError> {
        let name = path.to_string_lossy().into_owned();
        let inner = serialport::new(name.as_str(), baud).open().map_err(|error| {
            let hint = "is it plugged in, may you use it (group dialout), does another program have it?";
            DriverError::new(format!("opening port {name} at {baud} baud"), format!("{error}; {hint}"))
        })?;
        Ok(Self { inner, clock, deadline: Nanos(0), gone: OnceLock::new() })
    }

    /// Reads and writes fail after `deadline`.
    pub(super) fn until(&mut self, deadline: Nanos) {
        self.deadline = deadline;
    }

    /// Waits until nothing has come in for `quiet_secs`: late answers must not be taken for those of the next question.
    pub(super) fn settle(&mut self, quiet_secs: f64) {
        let mut late = [0; 256];
        let quiet = Duration::from_secs_f64(quiet_secs);
        while self.clock.now() < self.deadline && self.inner.set_timeout(quiet).is_ok() {
            match self.inner.read(&mut late) {
                Ok(count) if count > 0 => {}
                _ => break,
            }
        }
    }

    /// Why the port cannot be used any more.
    pub(super) fn gone(&self) -> Option<&str> {
        self.gone.get().map(String::as_str)
    }

    fn allow_remaining_time(&mut self) -> io::Result<()> {
        let left = self.deadline.0 - self.clock.now().0;
        if left <= 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        self.inner.set_timeout(Duration::from_nanos(left.unsigned_abs())).map_err(io::Error::from)
    }

    fn note(&self, error: io::Error) -> io::Error {
        if !matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::WouldBlock) {
            let _ = self.gone.set(error.to_string());
        }
        error
    }
}

impl Read for BoundedPort {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.allow_remaining_time()?;
        match self.inner.read(buffer) {
            Ok(0) if !buffer.is_empty() => Err(self.note(ErrorKind::BrokenPipe.into())),
            Ok(count) => Ok(count),
            Err(error) => Err(self.note(error)),
        }
    }
}

impl Write for BoundedPort {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.allow_remaining_time()?;
        self.inner.write(bytes).map_err(|error| self.note(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl SerialPort for BoundedPort {
    /// Always none: what is left over of an earlier answer is thrown away.
    fn bytes_to_read(&self) -> Result<u32> {
        let cleared = self.inner.bytes_to_read().and_then(|count| match count {
            0 => Ok(()),
            _ => self.inner.clear(ClearBuffer::Input),
        });
        // Of a port that is still there, this can be asked.
        cleared.map(|()| 0).inspect_err(|error| {
            let _ = self.gone.set(error.to_string());
        })
    }

    fn name(&self) -> Option<String> {
        self.inner.name()
    }
    fn baud_rate(&self) -> Result<u32> {
        self.inner.baud_rate()
    }
    fn data_bits(&self) -> Result<DataBits> {
        self.inner.data_bits()
    }
    fn flow_control(&self) -> Result<FlowControl> {
        self.inner.flow_control()
    }
    fn parity(&self) -> Result<Parity> {
        self.inner.parity()
    }
    fn stop_bits(&self) -> Result<StopBits> {
        self.inner.stop_bits()
    }
    fn timeout(&self) -> Duration {
        self.inner.timeout()
    }
    fn set_baud_rate(&mut self, baud_rate: u32) -> Result<()> {
        self.inner.set_baud_rate(baud_rate)
    }
    fn set_data_bits(&mut self, data_bits: DataBits) -> Result<()> {
        self.inner.set_data_bits(data_bits)
    }
    fn set_flow_control(&mut self, flow_control: FlowControl) -> Result<()> {
        self.inner.set_flow_control(flow_control)
    }
    fn set_parity(&mut self, parity: Parity) -> Result<()> {
        self.inner.set_parity(parity)
    }
    fn set_stop_bits(&mut self, stop_bits: StopBits) -> Result<()> {
        self.inner.set_stop_bits(stop_bits)
    }
    fn set_timeout(&mut self, timeout: Duration) -> Result<()> {
        self.inner.set_timeout(timeout)
    }
    fn write_request_to_send(&mut self, level: bool) -> Result<()> {
        self.inner.write_request_to_send(level)
    }
    fn write_data_terminal_ready(&mut self, level: bool) -> Result<()> {
        self.inner.write_data_terminal_ready(level)
    }
    fn read_clear_to_send(&mut self) -> Result<bool> {
        self.inner.read_clear_to_send()
    }
    fn read_data_set_ready(&mut self) -> Result<bool> {
        self.inner.read_data_set_ready()
    }
    fn read_ring_indicator(&mut self) -> Result<bool> {
        self.inner.read_ring_indicator()
    }
    fn read_carrier_detect(&mut self) -> Result<bool> {
        self.inner.read_carrier_detect()
    }
    fn bytes_to_write(&self) -> Result<u32> {
        self.inner.bytes_to_write()
    }
    fn clear(&self, buffer: ClearBuffer) -> Result<()> {
        self.inner.clear(buffer)
    }
    fn try_clone(&self) -> Result<Box<dyn SerialPort>> {
        self.inner.try_clone()
    }
    fn set_break(&self) -> Result<()> {
        self.inner.set_break()
    }
    fn clear_break(&self) -> Result<()> {
        self.inner.clear_break()
    }
}

/// What Linux says of the USB adapter of a port.
pub struct UsbAdapter {
    device: PathBuf,
    name: String,
}

impl UsbAdapter {
    /// The adapter of `port`, as the folder `devices` has it. Nothing is read yet.
    pub fn below(devices: &Path, port: &Path) -> Self {
        let real = std::fs::canonicalize(port).unwrap_or_else(|_| port.to_owned());
        let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { device: devices.join(&name), name }
    }

    /// Serial number of the adapter, if it has one.
    pub fn serial_number(&self) -> Option<String> {
        let device = std::fs::canonicalize(&self.device).ok()?;
        // The number belongs to the USB device, some folders above its serial interface.
        let serial = device.ancestors().take(6).find_map(|folder| std::fs::read_to_string(folder.join("serial")).ok());
        serial.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// How long it keeps the last bytes of an answer, s. What is no USB serial adapter is taken for a quick one, and one that
    /// says nothing readable for one as it leaves the factory.
    pub fn latency_secs(&self) -> f64 {
        let Ok(text) = std::fs::read_to_string(self.device.join("latency_timer")) else { return USUAL_LATENCY_SECS };
        text.trim().parse::<u8>().map_or(FACTORY_LATENCY_SECS, |ms| (1e-3 * f64::from(ms)).max(USUAL_LATENCY_SECS))
    }

    /// Refuses an adapter that holds answers back for longer than 1 ms.
    ///
    /// # Errors
    /// Says what is set and how to change it.
    pub fn check_latency(&self) -> std::result::Result<(), DriverError> {
        let latency_secs = self.latency_secs();
        if latency_secs <= USUAL_LATENCY_SECS {
            return Ok(());
        }
        let reason = format!(
            "the USB adapter holds every answer back for {:.0} ms; expected 1. For now: echo 1 | sudo tee {}. For good, in \
             a file of /etc/udev/rules.d: ACTION==\"add\", SUBSYSTEM==\"usb-serial\", DRIVER==\"ftdi_sio\", \
             ATTR{{latency_timer}}=\"1\", then plug it in again. Or serve it as slow as it is, if a turn of the loop then \
             still fits, with --allow-usb-latency",
            1e3 * latency_secs,
            self.device.join("latency_timer").display()
        );
        Err(DriverError::new(format!("checking the latency timer of {}", self.name), reason))
    }
}
