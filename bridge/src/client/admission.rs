//! Why a controller does not let us in, in words. ZeroMQ itself only stays silent.

use crate::handshake::Objection;
use crate::transport::LinkEvent;
use giraffe_robots::Nanos;

/// So many connections closed before the two sides had agreed are no accident. Often enough that, of two sides of which
/// only one encrypts, the one that can tell why gets to see it: who closes first leaves the other in the dark.
const CLOSED_IN_A_ROW: usize = 10;
/// If they were closed within so long, s. Longer: nobody closed them, they timed out (two sockets, after one second each).
const CLOSED_WITHIN_SECS: f64 = 2.0;

/// What became of our wish to come in.
pub(super) struct Admission {
    has_keys: bool,
    closed: Vec<Nanos>,
    refusal: Option<Objection>,
}

impl Admission {
    pub(super) fn new(has_keys: bool) -> Self {
        Self { has_keys, closed: Vec::new(), refusal: None }
    }

    /// Why we are not let in, until we are.
    pub(super) fn refusal(&self) -> Option<&Objection> {
        self.refusal.as_ref()
    }

    /// Takes in what happened to a connection.
    pub(super) fn take(&mut self, event: LinkEvent, now: Nanos) {
        let (code, detail) = match event {
            LinkEvent::Admitted => {
                self.closed.clear();
                self.refusal = None;
                return;
            }
            LinkEvent::Closed => {
                self.closed.push(now);
                self.closed.drain(..self.closed.len().saturating_sub(CLOSED_IN_A_ROW));
                let first = self.closed.first().copied().unwrap_or(now);
                if self.closed.len() < CLOSED_IN_A_ROW || now.secs_since(first) > CLOSED_WITHIN_SECS {
                    return;
                }
                self.closed_words()
            }
            LinkEvent::NotAdmitted(400) => (
                "NOT_LISTED",
                "the controller's allow-list does not have our key; add our public key to it (the line that `giraffe \
                 keygen` printed) and send the controller SIGHUP"
                    .to_owned(),
            ),
            LinkEvent::NotAdmitted(status) => {
                ("NOT_LISTED", format!("the controller could not find out whether we may come in (status {status})"))
            }
            LinkEvent::OnlyOneEncrypts => ("ENCRYPTION", self.only_one_encrypts_words().to_owned()),
            LinkEvent::Garbled(value) => {
                let what = format!("what listens there does not speak as a controller does (error {value:#x})");
                (
                    "HANDSHAKE",
                    format!("{what}; is it the `ctl` port of a controller, and is the controller's key right?"),
                )
            }
        };
        self.refusal = Some(Objection::new(code, detail));
    }

    fn closed_words(&self) -> (&'static str, String) {
        let (code, words) = if self.has_keys {
            let words = "what listens there closes every connection before it is encrypted: the controller's key is not \
                         the one we were given (compare with the NAME.key made next to the controller), or it does not \
                         encrypt, or it is no controller";
            ("SERVER_KEY", words)
        } else {
            let words = "what listens there closes every connection at once: most likely the controller expects \
                         encryption; connect with our own keys and its public key (`giraffe deploy --keys --server-key`)";
            ("ENCRYPTION", words)
        };
        (code, words.to_owned())
    }

    fn only_one_encrypts_words(&self) -> &'static str {
        if self.has_keys {
            "the controller does not encrypt, and we were told to: start it with keys and an allow-list (`giraffe serve \
             --keys --allow`), or connect without keys if it is on this machine"
        } else {
            "the controller expects encryption: connect with our own keys and its public key (`giraffe deploy --keys \
             --server-key`)"
        }
    }
}
