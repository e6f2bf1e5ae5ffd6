"""hand-link v1: messages, the description of a hand, and the envelope around commands (PROTOCOL.md, 1 to 6).

Nothing in here opens a socket or reads a clock. `hand_link.py` builds a controller from it.
"""

import hashlib
import math
import re

import msgpack
import numpy as np

VERSION = 1
MAX_MESSAGE_BYTES = 65536
REQUIRED = object()


class Refusal(Exception):
    """Why a message is not followed: a code of the protocol and one sentence for a person."""

    def __init__(self, code, detail):
        super().__init__(detail)
        self.code, self.detail = code, detail


# ---------------------------------------------------------------- messages (section 2)


def is_uint(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64


def is_number(value):
    """A number that is finite as a single float. msgpack integers are tolerated where floats are expected."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(to_float32(value))


KINDS = {
    "uint": is_uint,
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool) and -2**63 <= value < 2**63,
    "float": is_number,
    "str": lambda value: isinstance(value, str),
    "bin": lambda value: isinstance(value, bytes),
    "map": lambda value: isinstance(value, dict),
    "array of str": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "array of 3 floats": lambda value: isinstance(value, list) and len(value) == 3 and all(map(is_number, value)),
    "array of numbers": lambda value: isinstance(value, list)
    and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value),
}


def take(message, key, kind, default=REQUIRED, where=""):
    """The value of `key`, checked to be of `kind`. Raises Refusal MALFORMED."""
    value = message.get(key, default)
    if value is REQUIRED:
        raise Refusal("MALFORMED", f"{where}{key} is missing")
    if not KINDS[kind](value):
        raise Refusal("MALFORMED", f"{where}{key} should be {kind}, is {str(value)[:40]}")
    return value


def to_float32(values):
    """Rounds to single precision; what is too large becomes infinite, to be refused by whoever checks."""
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float64).astype(np.float32)


def as_map(pairs):
    """A map in which no key comes twice: which of the two would count?"""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def decode(data):
    """One message with a valid head. Raises Refusal MALFORMED or VERSION; never anything else."""
    try:
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"{len(data)} bytes")
        message = msgpack.unpackb(data, object_pairs_hook=as_map)  # refuses bytes after the end and keys that are not text
    except Exception as error:  # msgpack raises a dozen kinds of exception; a bad message must never end a loop
        raise Refusal("MALFORMED", f"not one msgpack map: {type(error).__name__} {error}"[:200]) from None
    if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
        raise Refusal("MALFORMED", "not a map with string keys")
    for key, kind in (("v", "uint"), ("t", "str"), ("sid", "uint"), ("seq", "uint"), ("ts", "int")):
        take(message, key, kind)
    return message


def encode(message):
    """Single floats are exact for every float32 quantity."""
    return msgpack.packb(message, use_single_float=True)


def sockets(base):
    """The four endpoints of a base endpoint. Only this machine is allowed: version 1 has no authentication."""
    if base.startswith("ipc://"):
        return {name: f"{base}-{name}" for name in ("ctl", "cmd", "state", "pose")}
    match = re.fullmatch(r"tcp://(127\.\d+\.\d+\.\d+|localhost|\[::1\]):(\d+)", base)
    if not match or not 0 < int(match[2]) <= 65535 - 3:
        raise ValueError(f"cannot bind {base}: expected ipc://PATH or tcp://127.0.0.1:PORT (loopback only)")
    return {name: f"tcp://{match[1]}:{int(match[2]) + i}" for i, name in enumerate(("ctl", "cmd", "state", "pose"))}


# ---------------------------------------------------------------- description of a hand (section 4)


def desc_hash(hand):
    """SHA-256 over the kinematics, as text. `hand`: {joints: {name: ...}, tips: {name: ...}}, as on the wire."""

    def number(value, scale):
        return str(int(math.copysign(math.floor(abs(value) * scale + 0.5), value)))

    lines = ["hand-link-kinematics-1"]
    for name, joint in sorted(hand["joints"].items(), key=lambda item: item[0].encode()):
        numbers = [number(x, 1e4) for x in joint["axis"]] + [number(x, 1e5) for x in joint["point"]]
        numbers += [number(joint["lower"], 1e4), number(joint["upper"], 1e4)]
        lines.append(" ".join(["joint", name, joint["parent"] or "-", *numbers]))
    for name, tip in sorted(hand["tips"].items(), key=lambda item: item[0].encode()):
        lines.append(" ".join(["tip", name, tip["joint"] or "-", *(number(x, 1e5) for x in tip["point"])]))
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


def compare(theirs, ours):
    """Raises Refusal ROBOT_MISMATCH when another hand is described than ours; by name, never by place."""

    def mismatch(what, expected, found):
        raise Refusal("ROBOT_MISMATCH", f"{what}: this hand has {expected}, the policy's {found}")

    for kind, fields in (("joints", (("axis", 1e-3), ("point", 5e-4), ("lower", 1e-3), ("upper", 1e-3))),
                         ("tips", (("point", 5e-4),))):
        described = take(theirs, kind, "map", where="robot.")
        missing, extra = sorted(set(ours[kind]) - set(described)), sorted(set(described) - set(ours[kind]))
        if missing or extra:
            raise Refusal("ROBOT_MISMATCH", f"{kind}: the policy's hand lacks {missing} and has {extra} besides")
        for name, own in ours[kind].items():
            where = f"robot.{kind}.{name}."
            other = take(described, name, "map", where=f"robot.{kind}.")
            link = "parent" if kind == "joints" else "joint"
            if take(other, link, "str", where=where) != own[link]:
                mismatch(f"{name}: {link}", repr(own[link]), repr(other[link]))
            for field, tolerance in fields:
                value = take(other, field, "array of 3 floats" if field in ("axis", "point") else "float", where=where)
                if np.max(np.abs(np.subtract(value, own[field]))) > tolerance:
                    mismatch(f"{name}: {field}", own[field], value)


def compare_tips(theirs, ours):
    """Raises Refusal ROBOT_MISMATCH when forward kinematics of the test vector differ by more than 1 mm."""
    if set(theirs) != set(ours):
        raise Refusal("ROBOT_MISMATCH", f"test_vector: expected the tips {sorted(ours)}, found {sorted(theirs)}")
    for name, own in ours.items():
        apart = float(np.linalg.norm(np.subtract(take(theirs, name, "array of 3 floats", where="test_vector."), own)))
        if apart > 1e-3:
            raise Refusal("ROBOT_MISMATCH", f"test_vector: tip {name} is {1e3 * apart:.2f} mm from where it is here")


def limits_in_force(theirs, ours):
    """The narrower of both sides, per joint. Raises Refusal LIMITS when nothing is left."""
    both = {}
    for name, own in ours.items():
        other = take(theirs, name, "map", where="limits.")
        asked = {key: other.get(key) for key in own}
        if not all(is_number(value) for value in asked.values()):
            raise Refusal("LIMITS", f"{name}: {asked} is not four finite numbers")
        joint = {key: float(np.float32((max if key == "lower" else min)(own[key], asked[key]))) for key in own}
        if joint["lower"] >= joint["upper"] or joint["velocity"] <= 0 or joint["acceleration"] <= 0:
            raise Refusal("LIMITS", f"{name}: nothing is left between the policy's {asked} and this hand's {own}")
        both[name] = joint
    return both


# ---------------------------------------------------------------- envelope (section 6)


class Envelope:
    """What every accepted command passes before a motor sees it: the identity for targets within all limits."""

    def __init__(self, limits, joints, period_secs, band_rad):
        column = {key: np.array([limits[name][key] for name in joints], np.float64)
                  for key in ("lower", "upper", "velocity", "acceleration")}
        self.lower, self.upper, self.velocity = column["lower"], column["upper"], column["velocity"]
        self.full = self.velocity * period_secs
        self.change = column["acceleration"] * period_secs**2
        self.band = band_rad
        self.restart(np.zeros(len(joints), np.float32))

    def restart(self, target):
        """From now on `target` is the one in force, at rest."""
        self.target = np.array(target, np.float32)
        self.step = np.zeros(len(self.target))
        self.allowance = self.full.copy()
        self.banded = np.zeros(len(self.target), bool)

    def apply(self, wanted, measured, elapsed_secs):
        """The target in force for `wanted`, and which joints were altered, as bits. Angles in rad."""
        before, asked = self.target.astype(np.float64), wanted.astype(np.float64)
        measured = measured.astype(np.float64)
        self.allowance = np.minimum(self.full, self.allowance + self.velocity * max(0.0, elapsed_secs))
        target = np.clip(asked, self.lower, self.upper)
        step = np.clip(target - before, -self.allowance, self.allowance)
        step = np.clip(step, np.minimum(0, self.step - self.change), np.maximum(0, self.step + self.change))
        target = np.where(step == target - before, target, before + step)
        self.banded = np.abs(target - measured) > self.band
        pulled = np.clip(target, measured - self.band, measured + self.band)
        pulled = np.clip(np.clip(pulled, self.lower, self.upper), before - self.allowance, before + self.allowance)
        target = np.where(self.banded, pulled, target)
        target = np.clip(target.astype(np.float32), self.lower.astype(np.float32), self.upper.astype(np.float32))
        self.step = target.astype(np.float64) - before
        self.allowance = np.maximum(0, self.allowance - np.abs(self.step))
        self.target = target
        return target, sum(1 << int(joint) for joint in np.flatnonzero(target != wanted))


class NoEnvelope(Envelope):
    """For a hand whose controller keeps nothing from its motors: targets pass as they are."""

    def apply(self, wanted, measured, elapsed_secs):
        self.target = np.array(wanted, np.float32)
        return self.target, 0
