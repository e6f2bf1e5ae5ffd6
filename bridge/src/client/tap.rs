//! Somebody who listens to everything that goes over a link: a log, a display.

use crate::handshake::Objection;
use giraffe_robots::Nanos;

/// Told of every message as it passes, in order, on the thread that moves the hand: whoever implements this must return
/// at once. Times are those of the client's clock.
pub trait LinkTap: Send {
    /// A state of our session was taken in; `bytes` as received.
    fn state(&mut self, bytes: &[u8], now: Nanos);

    /// A state came that was dropped: another session's, an old one, one of another shape.
    fn ignored(&mut self, bytes: &[u8], now: Nanos);

    /// A pose was taken in; `bytes` as received.
    fn pose(&mut self, bytes: &[u8], now: Nanos);

    /// A command was handed to the link. `sent`: whether the link took it.
    fn command(&mut self, bytes: &[u8], sent: bool, now: Nanos);

    /// A request was answered: granted, or refused and why.
    fn request(&mut self, name: &str, refused: Option<&Objection>, now: Nanos);
}
