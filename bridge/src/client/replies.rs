//! What answers a request.

use crate::handshake::Objection;
use crate::message::{Granted, Refusal, Reject, Started, Welcome};
use crate::wire::{Body, decode, decode_head};
use giraffe_robots::HandError;
use serde::Deserialize;

/// The answer to a request.
pub(super) enum Reply<B> {
    Granted(B),
    Refused(Objection),
}

/// Replies, which say what they answer.
pub(super) trait Answers {
    fn re(&self) -> u64;
}

impl Answers for Welcome {
    fn re(&self) -> u64 {
        self.re
    }
}

impl Answers for Granted {
    fn re(&self) -> u64 {
        self.re
    }
}

impl Answers for Started {
    fn re(&self) -> u64 {
        self.re
    }
}

/// A reply, or what is wrong with it.
pub(super) type ReadReply<A> = Result<Reply<(u64, A)>, String>;

/// The reply to request `seq`, if that is what the bytes are.
pub(super) fn read_reply<A: Body + Answers>(bytes: &[u8], seq: u64) -> Option<ReadReply<A>> {
    let head = decode_head(bytes).ok()?;
    match head.t.as_str() {
        "reject" => {
            let (_, reject) = decode::<Reject>(bytes).ok()?;
            (reject.re == seq).then(|| Ok(Reply::Refused(Objection::new(reject.code, reject.detail))))
        }
        "error" => {
            let (_, error) = decode::<Refusal>(bytes).ok()?;
            (error.re == seq).then(|| Ok(Reply::Refused(Objection::new(error.code, error.detail))))
        }
        kind if kind == A::TYPE => match decode::<A>(bytes) {
            Ok((head, answer)) => (answer.re() == seq).then(|| Ok(Reply::Granted((head.sid, answer)))),
            Err(error) => Some(Err(error.to_string())),
        },
        _ => None,
    }
}

/// Why a message on `ctl` does not answer request `seq`, in words.
pub(super) fn not_the_reply(bytes: &[u8], seq: u64) -> String {
    #[derive(Deserialize)]
    struct Re {
        re: u64,
    }
    match (decode_head(bytes), rmp_serde::from_slice::<Re>(bytes)) {
        (Err(error), _) => error.to_string(),
        (Ok(head), Ok(Re { re })) if re != seq => format!("a `{}` to request {re}, asked was {seq}", head.t),
        (Ok(head), Ok(_)) => format!("a `{}` that cannot be read, or is no answer to this request", head.t),
        (Ok(head), Err(_)) => format!("a `{}` without `re`", head.t),
    }
}

/// A refusal in the words of the contract.
pub(super) fn refusal(attempted: &str, objection: Objection) -> HandError {
    HandError::Refused { attempted: attempted.to_owned(), code: objection.code, detail: objection.detail }
}
