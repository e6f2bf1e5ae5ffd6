"""hand-link v1: a controller for any hand that can be asked where it is and told where to go (PROTOCOL.md).

Give `Controller` a plant and call `run`. Both ways to run are served: free-running (real time, watchdog, ages) and
lock-step (one command, one control period, no clock). `mujoco_hand.py` is a plant; a driver of real servos would be
another. A plant has:

    name             str
    joints           list of str: its own order of joints, used for every array below
    description      {"joints": {name: {parent, axis, point, lower, upper}}, "tips": {name: {joint, point}}}
    limits           {name: {"lower", "upper", "velocity", "acceleration"}}, rad, rad/s, rad/s2
    period_secs      control period of the policy
    band_rad         how far a target may be from the measured angle
    object           name of the object, or None without a tracker
    tips(q)          {joint name: rad} -> {tip name: [x, y, z] m in the palm frame}
    start_episode(b) puts hand and object where the episode described by the bytes `b` starts, gives the targets
                     that hold it there; ValueError when it does not understand them
    sense()          (angles, velocities): float32, rad and rad/s
    pose()           (position m, quaternion x y z w) of the object in the palm frame, float32
    seen()           optional: what a tracker says of it (seconds since it was true, position, quaternion), or None
    advance(secs, target, effort)   follows `target` for so long with this part of full torque, 0 to 1
"""

import secrets
import time

import msgpack
import numpy as np
import zmq

from hand_wire import VERSION, Envelope, NoEnvelope, Refusal, compare, compare_tips, decode, desc_hash, encode
from hand_wire import is_number, is_uint, limits_in_force, sockets, take, to_float32

SOFTWARE = "hand-link example controller 1 (python)"
FAULT = {"LINK_LOST": 0, "CMD_STALE": 1, "CMD_NOT_FINITE": 2, "CMD_SHAPE": 3, "CMD_SEQUENCE": 4, "LEASE_LOST": 5,
         "LIMIT_HARD": 6, "TRACKING": 7, "BUS_ERROR": 12, "ESTOP": 15, "INTERNAL": 17}
FAULT = {name: 1 << bit for name, bit in FAULT.items()}
COMMAND_FAULTS = FAULT["CMD_NOT_FINITE"] | FAULT["CMD_SHAPE"]
LATCHED = COMMAND_FAULTS | sum(FAULT[name] for name in ("LIMIT_HARD", "TRACKING", "BUS_ERROR", "ESTOP", "INTERNAL"))
EFFORT = {"ready": 1.0, "active": 1.0, "hold": 0.7, "relax": 0.3}  # no torque in every other mode
MILLIS = 1_000_000
TIMERS = {"lease_ms": 2000, "max_age_ms": 125, "hold_ms": 150, "relax_ms": 2000, "off_ms": 30000, "rearm_ms": 1000,
          "stream_ms": 500}
START_TOL_RAD = 0.1
RELAX_RAD_PER_SEC = 0.5
AGAINST_SECS, FAR_BANDS = 1.0, 1.1  # so long a joint may be wanted outside the band, or stand so many bands away
BEYOND_RAD, BEYOND_TIMES = 0.2, 3  # so far outside its range a joint may be found, fewer times in a row
LOOP_HZ, TURNS_PER_STATE = 250, 2


class Controller:
    """One hand, four sockets, at most one commander."""

    def __init__(self, plant, base, lockstep_only=False, enveloped=True):
        self.plant, self.lockstep_only, self.enveloped = plant, lockstep_only, enveloped
        self.software, self.stopping = SOFTWARE, False
        self.period_ns = round(plant.period_secs * 1e9)
        self.context = zmq.Context()
        kinds = {"ctl": (zmq.ROUTER, 64), "cmd": (zmq.PULL, 64), "state": (zmq.PUB, 8), "pose": (zmq.PUB, 8)}
        for name, endpoint in sockets(base).items():
            socket = self.context.socket(kinds[name][0])
            socket.linger, socket.maxmsgsize, socket.handshake_ivl = 0, 65536, 1000
            socket.set_hwm(kinds[name][1])
            socket.bind(endpoint)
            setattr(self, name, socket)
        self.seqs = dict.fromkeys(("ctl", "state", "pose"), 0)
        self.robot = {"name": plant.name, "desc_hash": desc_hash(plant.description), "dynamics_hash": "",
                      **plant.description}
        # A session.
        self.sid, self.holder, self.grants, self.timers, self.lease_until = 0, "", [], dict(TIMERS), 0
        self.limits = plant.limits
        self.forget_commands()
        # The hand.
        bounds = [plant.description["joints"][name] for name in plant.joints]
        self.lower, self.upper = (np.array([bound[end] for bound in bounds]) for end in ("lower", "upper"))
        self.trial, self.pushing = None, False  # what goes wrong because somebody asked; whether a servo may push
        self.forget_tracking()
        self.mode, self.fault, self.why, self.entered_ns = "off", 0, "never armed", time.monotonic_ns()
        self.held_by_silence, self.frozen = False, True
        self.last_pose = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]
        self.episode = self.tick = self.turns = self.overruns = 0
        self.set_envelope(np.zeros(len(plant.joints), np.float32))
        self.sense(0)

    def forget_tracking(self):
        self.against_secs = np.zeros(len(self.plant.joints))
        self.beyond_in_a_row = np.zeros(len(self.plant.joints), int)

    def forget_commands(self):
        self.rx_stale = self.rx_bad = self.last_seq = self.last_state_seq = self.cmd_seq = self.cmd_age_us = 0
        self.clip, self.in_a_row = 0, {"SHAPE": 0, "NOT_FINITE": 0}
        self.accepted_ns = self.applied_ns = 0
        self.stream_begin_ns = self.stream_end_ns = None

    def set_envelope(self, target):
        plant = self.plant
        kind = Envelope if self.enveloped else NoEnvelope
        self.envelope = kind(self.limits, plant.joints, plant.period_secs, plant.band_rad)
        self.envelope.restart(target)

    @property
    def shown_mode(self):
        """What is said of the motors: no torque only where every servo has confirmed that it has none."""
        return "releasing" if self.pushing and self.mode not in EFFORT else self.mode

    @property
    def lockstep(self):
        """Whether time passes on commands only."""
        return self.lockstep_only or "lockstep" in self.grants

    # ------------------------------------------------------------ streams

    def head(self, kind, stream, sid=None):
        self.seqs[stream] += 1
        return {"v": VERSION, "t": kind, "sid": self.sid if sid is None else sid, "seq": self.seqs[stream],
                "ts": time.monotonic_ns()}

    def state_message(self, refused=None):
        target = self.envelope.target if self.mode in EFFORT else self.q
        return {**self.head("state", "state"), "episode": self.episode, "tick": self.tick, "t_meas": self.t_meas,
                "q": self.q.tolist(), "dq": self.dq.tolist(), "q_target": target.tolist(), "cmd_seq": self.cmd_seq,
                "cmd_age_us": self.cmd_age_us, "clip": self.clip, "mode": self.shown_mode, "fault": self.fault,
                "why": "" if self.mode == "active" else self.why, "rx_stale": self.rx_stale, "rx_bad": self.rx_bad,
                "overruns": self.overruns, "refused": refused}

    def pose_message(self):
        position, quaternion = self.plant.pose()
        valid = bool(np.all(np.isfinite(position)) and np.all(np.isfinite(quaternion)))
        self.last_pose = (position.tolist(), quaternion.tolist()) if valid else self.last_pose
        message = {**self.head("pose", "pose"), "episode": self.episode, "tick": self.tick, "t_meas": self.t_meas,
                   "object": self.plant.object, "frame": "palm", "p": self.last_pose[0],
                   "q_xyzw": self.last_pose[1], "valid": valid, "truth": True}
        seen = self.plant.seen() if valid and hasattr(self.plant, "seen") else None
        if seen:
            age_secs, position, quaternion = seen
            message["seen"] = {"p": position.tolist(), "q_xyzw": quaternion.tolist(),
                               "t_meas": self.t_meas - round(age_secs * 1e9)}
        return message

    def publish(self, refused=None, pose=True):
        self.send(self.state, self.state_message(refused))
        if pose and self.plant.object and ("object_pose" in self.grants or not self.lockstep):
            self.send(self.pose, self.pose_message())

    @staticmethod
    def send(socket, message):
        # Asking for events makes ZeroMQ take note of what was already delivered. Otherwise it does so about once a
        # millisecond, counts delivered messages against the high water mark, and drops states in a fast lock-step.
        socket.get(zmq.EVENTS)
        socket.send(encode(message))

    # ------------------------------------------------------------ the hand

    def enter(self, mode, why="", fault=0):
        if mode == "active":
            self.fault &= LATCHED
            self.held_by_silence = self.frozen = False
        self.mode, self.why, self.entered_ns = mode, why, time.monotonic_ns()
        self.fault |= fault
        self.pushing = self.pushing or mode in EFFORT

    def release(self):
        """Where there shall be no torque: takes it off, as far as the servos confirm it. Tried again every turn."""
        if self.mode in EFFORT or not self.pushing:
            return
        if self.trial and self.trial["grip"] > 0:
            self.trial["grip"] -= 1
            self.mode = self.mode if self.mode == "estop" else "fault"
            self.fault |= FAULT["BUS_ERROR"]
            self.why = f"torque is NOT confirmed off by the servo of joint {self.trial['joint']} (a trial)"
        else:
            self.pushing = False

    def stop_following(self, why, fault=0, silence=False):
        """To `hold` if there is torque that does not give way already."""
        if self.mode in EFFORT and self.mode != "relax":
            self.held_by_silence = silence
            self.enter("hold", why, fault)
        else:
            self.fault |= fault

    def sense(self, t_meas):
        q, dq = self.tried(*self.plant.sense())
        if np.all(np.isfinite(q)) and np.all(np.isfinite(dq)):
            self.q, self.dq, self.t_meas = q, dq, t_meas
        else:  # the last readings are repeated
            self.enter("fault", "the readings of the joints are not finite", FAULT["INTERNAL"])

    def tried(self, q, dq):
        """What was sensed, or what a trial says instead."""
        if self.trial is None or not (self.trial["jam"] or self.trial["beyond"]):
            return q, dq
        q, dq, at = q.copy(), dq.copy(), self.plant.joints.index(self.trial["joint"])
        if self.trial["jam"]:
            q[at] = self.trial.setdefault("at", q[at])
        else:
            q[at] = np.float32(self.upper[at] + self.trial["beyond"])
        dq[at] = 0
        return q, dq

    def move(self, secs):
        self.plant.advance(secs, self.envelope.target, EFFORT.get(self.mode, 0.0))
        self.tick += 1
        self.sense(self.tick * self.period_ns if self.lockstep else time.monotonic_ns())
        self.watch(secs)

    def far_off(self):
        return np.abs(self.envelope.target - self.q) > FAR_BANDS * self.plant.band_rad

    def watch(self, secs):
        """Holds a hand whose joints do not do as told, or stand where none should be."""
        beyond = np.maximum(self.lower - self.q, self.q - self.upper) > BEYOND_RAD
        self.beyond_in_a_row = np.where(beyond, self.beyond_in_a_row + 1, 0)
        against = (self.envelope.banded | self.far_off()) & (self.mode == "active")
        self.against_secs = np.where(against, self.against_secs + secs, 0.0)
        name = self.plant.joints
        if self.mode in EFFORT and np.max(self.beyond_in_a_row) >= BEYOND_TIMES:
            at = int(np.argmax(self.beyond_in_a_row))
            self.stop_following(f"LIMIT_HARD: joint {name[at]} stands at {self.q[at]:.2f} rad, outside its range",
                                FAULT["LIMIT_HARD"])
        # Sums of periods are a little off: a whole period more is more than a second for certain.
        elif np.max(self.against_secs) > AGAINST_SECS + 1e-6:
            at = int(np.argmax(self.against_secs))
            self.stop_following(f"TRACKING: joint {name[at]} stands at {self.q[at]:.2f} rad and does not follow its "
                                f"target {self.envelope.target[at]:.2f} rad", FAULT["TRACKING"])
            self.against_secs[:] = 0

    def turn(self, now):
        """One turn of the loop in real time."""
        self.release()
        silent, since = now - self.accepted_ns, now - self.entered_ns
        if self.mode == "active" and silent > self.timers["hold_ms"] * MILLIS:
            self.stop_following(f"no acceptable command for {silent // MILLIS} ms", FAULT["LINK_LOST"], silence=True)
        elif self.mode == "hold" and since > self.timers["relax_ms"] * MILLIS:
            self.enter("relax", self.why)
        elif self.mode == "relax" and since > self.timers["off_ms"] * MILLIS:
            self.enter("off", self.why)
        if self.mode == "relax":
            creep = RELAX_RAD_PER_SEC / LOOP_HZ
            self.envelope.restart(self.envelope.target + np.clip(self.q - self.envelope.target, -creep, creep))
        if self.frozen:  # the readings do not change, but they are of now
            self.tick, self.t_meas = self.tick + 1, now
        else:
            self.move(1 / LOOP_HZ)
        self.turns += 1
        if self.turns % TURNS_PER_STATE == 0:
            self.publish()

    # ------------------------------------------------------------ commands (section 5)

    def judge(self, data, now):
        """The command and its target if all rules hold, else Refusal. `self.judging` is the command's seq."""
        self.judging = 0
        command = decode(data)
        if command["v"] != VERSION:
            raise Refusal("VERSION", f"this controller speaks version {VERSION}")
        fields = ("episode", "uint"), ("tick", "uint"), ("state_seq", "uint"), ("t_state", "int")
        episode, tick, state_seq, t_state = (take(command, key, kind) for key, kind in fields)
        target = to_float32(take(command, "q", "array of numbers"))
        if command["t"] != "cmd":
            raise Refusal("MALFORMED", f"expected cmd, found {command['t'][:40]}")
        self.judging = command["seq"]
        if not self.sid or command["sid"] != self.sid:
            raise Refusal("SESSION", "of another session")
        if command["seq"] <= self.last_seq:
            raise Refusal("SEQUENCE", f"seq {command['seq']} after {self.last_seq}")
        if len(target) != len(self.plant.joints):
            raise Refusal("SHAPE", f"expected {len(self.plant.joints)} targets, found {len(target)}")
        if not np.all(np.isfinite(target)):
            raise Refusal("NOT_FINITE", "a target is not a finite number")
        if episode != self.episode:
            raise Refusal("EPISODE", f"of episode {episode}, now is {self.episode}")
        if self.lockstep:
            if tick != self.tick + 1:
                raise Refusal("TICK", f"tick {tick}, expected {self.tick + 1}")
            if self.mode != "active":
                raise Refusal("NOT_ACTIVE", f"the mode is {self.mode}: {self.why}")
        elif not self.last_state_seq <= state_seq <= self.seqs["state"]:
            raise Refusal("STALE", f"state_seq {state_seq} is not in {self.last_state_seq}..={self.seqs['state']}")
        elif not 0 <= now - t_state <= self.timers["max_age_ms"] * MILLIS:
            raise Refusal("STALE", f"computed from a state that is {(now - t_state) / 1e6:.1f} ms old")
        return command, target

    def refuse(self, refusal):
        code = refusal.code
        if not self.sid:
            return
        if code in ("SEQUENCE", "EPISODE", "STALE", "TICK", "NOT_ACTIVE"):
            self.rx_stale += 1
            self.fault |= FAULT["CMD_SEQUENCE" if code == "SEQUENCE" else "CMD_STALE"]
        else:
            self.rx_bad += 1
        if code in self.in_a_row:
            self.in_a_row[code] += 1
            if self.in_a_row[code] == 3:
                self.stop_following(f"three commands in a row were refused as {code}", FAULT["CMD_" + code])
        # Whoever sent a message that is malformed or of another session is not known to wait for an answer.
        if self.lockstep and code not in ("MALFORMED", "VERSION", "SESSION"):
            self.publish({"seq": self.judging, "code": code, "detail": refusal.detail}, pose=False)

    def accept(self, command, target, now):
        self.last_seq, self.last_state_seq = command["seq"], command["state_seq"]
        self.accepted_ns, self.in_a_row = now, {"SHAPE": 0, "NOT_FINITE": 0}
        self.renew_lease(now)
        self.watch_stream(target, now)
        short = now - self.entered_ns <= self.timers["rearm_ms"] * MILLIS
        if self.mode == "hold" and self.held_by_silence and short and not self.fault & LATCHED:
            self.enter("active")

    def watch_stream(self, target, now):
        """`arm` without a `ready` hand needs a stream of commands near where it would start."""
        start = self.envelope.target if self.mode in EFFORT else self.q
        if self.mode in ("active", "ready") or np.max(np.abs(target - start)) > START_TOL_RAD:
            self.stream_begin_ns = None
            return
        if self.stream_begin_ns is None or now - self.stream_end_ns > self.timers["hold_ms"] * MILLIS:
            self.stream_begin_ns = now
        self.stream_end_ns = now

    def apply(self, command, target, now):
        if self.mode != "active":
            return
        elapsed = self.plant.period_secs if self.lockstep else (now - self.applied_ns) / 1e9
        _, self.clip = self.envelope.apply(target, self.q, elapsed)
        self.applied_ns, self.cmd_seq = now, command["seq"]
        self.cmd_age_us = 0 if self.lockstep else (now - command["t_state"]) // 1000

    def handle_commands(self):
        newest = None
        while self.cmd.poll(0):
            data, now = self.cmd.recv(), time.monotonic_ns()
            try:
                command, target = self.judge(data, now)
            except Refusal as refusal:
                self.refuse(refusal)
                continue
            self.accept(command, target, now)
            newest = command, target, now
            if self.lockstep:  # each accepted command is one control period
                self.apply(*newest)
                self.move(self.plant.period_secs)
                self.publish()
        if newest and not self.lockstep:
            self.apply(*newest)

    # ------------------------------------------------------------ requests (sections 3, 4, 8)

    def renew_lease(self, now):
        self.lease_until = now + self.timers["lease_ms"] * MILLIS

    def handle_request(self, peer, data, now):
        try:
            request = decode(data)
        except Refusal:
            self.rx_bad += 1
            return  # there is no seq to answer to
        kind, sid = request["t"], self.sid
        try:
            if request["v"] != VERSION:
                raise Refusal("VERSION", f"found version {request['v']}, this controller speaks {VERSION}")
            handler = getattr(self, "on_" + kind, None)
            if handler is None:
                raise Refusal("UNKNOWN_TYPE", f"no such request: {kind[:40]}")
            mine = self.sid and request["sid"] == self.sid
            if kind not in ("hello", "ping", "stop", "estop") and not mine:
                raise Refusal("NOT_COMMANDER", f"{kind} is for the commander; say hello first")
            if mine:
                self.renew_lease(now)
            answer, body = handler(request, now) or ("ok", {})
            if answer == "ok":  # it is said when it is done
                self.release()
                if self.shown_mode == "releasing":
                    raise Refusal("NOT_RELEASED", f"{self.why}; it is tried again; if the hand must be safe now, cut "
                                  "its power")
        except Refusal as refusal:
            answer, body = "reject" if kind == "hello" else "error", {"code": refusal.code, "detail": refusal.detail}
        if answer == "ok":
            body = {"mode": self.shown_mode, "fault": self.fault}
        head = self.head(answer, "ctl", body.pop("sid", 0 if answer == "reject" else self.sid or sid))
        if answer == "pong":
            body["t2"] = time.monotonic_ns()
        self.ctl.send_multipart([peer, encode({**head, "re": request["seq"], **body})])

    def on_hello(self, hello, now):
        role = take(hello, "role", "str")
        software, wants = take(hello, "software", "str"), take(hello, "wants", "array of str")
        robot, vector = take(hello, "robot", "map"), take(hello, "test_vector", "map")
        compare(robot, self.robot)
        angles = take(vector, "q", "map", where="test_vector.")
        angles = {name: take(angles, name, "float", where="test_vector.q.") for name in self.plant.joints}
        tips = self.plant.tips(angles)
        compare_tips(take(vector, "tips", "map", where="test_vector."), tips)
        limits = limits_in_force(take(hello, "limits", "map"), self.plant.limits)
        policy_hz, own_hz = take(hello, "policy_hz", "float"), 1 / self.plant.period_secs
        if abs(policy_hz - own_hz) > 0.01 * own_hz:
            raise Refusal("RATE", f"{policy_hz} commands per second, expected {own_hz}")
        if role not in ("commander", "observer"):
            raise Refusal("MALFORMED", f"role {role[:40]}, expected commander or observer")
        if role == "commander" and self.lockstep_only and "lockstep" not in wants:
            raise Refusal("UNSUPPORTED", "this controller runs in lock-step only; ask for it in wants")
        wanted, held = take(hello, "object", "str", ""), self.plant.object
        if role == "commander" and wanted and held and wanted != held:
            raise Refusal("OBJECT_MISMATCH", f"the policy is for the object {wanted[:80]}, held here is {held}")
        # An observer is told whose session is in force, and gets none of its own.
        sid = secrets.randbits(63) + 1 if role == "commander" else self.sid
        timers = dict(TIMERS)
        watchdog_ms = take(hello, "watchdog_ms", "uint")
        if watchdog_ms:
            timers["hold_ms"] = max(round(1.2e3 / own_hz), min(watchdog_ms, timers["hold_ms"]))
        if role == "commander":
            offered = ["rehearsal", "lockstep", "trials"]
        else:  # all but how the session in force runs is for who commands
            offered, limits = (["lockstep"] if self.lockstep else []), self.limits
        offered += ["object_pose"] if self.plant.object else []
        grants = [feature for feature in offered if feature in wants]
        if not self.enveloped:  # said unasked: the policy's side must keep to the limits itself
            grants.append("no-envelope")
        if role == "commander":
            self.open_session(sid, software, grants, limits, timers, now)
        same = robot.get("desc_hash") == self.robot["desc_hash"]
        more = {"object": held} if held else {}
        if self.enveloped:
            more["tracking_band"] = self.plant.band_rad
        return "welcome", {
            "sid": sid, "software": self.software, "robot": self.robot, "test_vector": {"q": angles, "tips": tips},
            "joints": self.plant.joints, "limits": limits, "policy_hz": own_hz,
            "state_hz": LOOP_HZ / TURNS_PER_STATE, **timers, "start_tol": START_TOL_RAD, "safe_action": "last_target",
            "grants": grants, "notes": [] if same else ["desc_hash differs, every number compared agrees"],
            "mode": self.shown_mode, "fault": self.fault, **more}

    def open_session(self, sid, software, grants, limits, timers, now):
        if self.sid and now < self.lease_until:
            left = (self.lease_until - now) // MILLIS
            raise Refusal("LEASE_HELD", f"{self.holder[:80]} commands this hand, for {left} ms at least")
        if self.sid:
            self.stop_following("another commander took over", FAULT["LEASE_LOST"])
        self.sid, self.holder, self.grants, self.limits, self.timers = sid, software, grants, limits, timers
        self.forget_commands()
        self.trial = None  # it was the old session's
        self.set_envelope(self.envelope.target)
        self.renew_lease(now)

    def on_ping(self, request, now):
        self.publish()
        return "pong", {"t0": request["ts"], "t1": now}

    def on_reset(self, request, _now):
        if "rehearsal" not in self.grants:
            raise Refusal("UNSUPPORTED", "rehearsal was not granted")
        if self.mode in ("fault", "estop"):
            raise Refusal("FAULT_LATCHED", f"{self.why}; say clear_fault first")
        episode = take(request, "episode", "bin")
        try:
            trial = self.read_trial(episode)
            start = self.plant.start_episode(episode)
        except ValueError as error:
            self.frozen = True
            self.enter("off", "a reset failed")
            raise Refusal("RESET_FAILED", str(error)) from None
        self.frozen, self.cmd_seq, self.cmd_age_us, self.clip, self.tick = True, 0, 0, 0, 0
        self.episode += 1
        self.trial = trial
        self.forget_tracking()
        self.set_envelope(start)
        self.enter("ready", "waiting for arm")
        self.sense(0 if self.lockstep else time.monotonic_ns())
        state, pose = self.state_message(), self.pose_message() if self.plant.object else None
        self.send(self.state, state)
        if pose:
            self.send(self.pose, pose)
        return "started", {"episode": self.episode, "state": state, "pose": pose}

    def read_trial(self, episode):
        """What the episode asks to go wrong (section 8): a map, or None. ValueError when it is not understood."""
        try:
            request = msgpack.unpackb(episode) if episode else {}
        except Exception:  # msgpack raises a dozen kinds; the plant says what it does not understand
            return None
        asked = request.get("trial") if isinstance(request, dict) else None
        if asked is None:
            return None
        trial = {"joint": "", "jam": False, "beyond": 0.0, "grip": 0}
        if not isinstance(asked, dict) or not set(asked) <= set(trial):
            raise ValueError(f"trial should be a map of {', '.join(trial)}, is {str(asked)[:60]}")
        trial.update(asked)
        if trial["joint"] not in self.plant.joints or not isinstance(trial["jam"], bool) or \
                not is_number(trial["beyond"]) or trial["beyond"] < 0 or not is_uint(trial["grip"]):
            raise ValueError(f"trial: a joint that there is, jam a bool, beyond rad, grip a count: {str(asked)[:60]}")
        return trial

    def on_arm(self, _request, now):
        if self.mode == "active":
            return
        if self.fault & LATCHED:
            raise Refusal("FAULT_LATCHED", f"{self.why}; say clear_fault first")
        if self.mode != "ready":
            if self.lockstep:
                raise Refusal("NOT_READY", f"the mode is {self.mode}: in lock-step, reset first")
            begin, end = self.stream_begin_ns, self.stream_end_ns
            if begin is None or now - end > self.timers["hold_ms"] * MILLIS or \
                    now - begin < self.timers["stream_ms"] * MILLIS:
                raise Refusal("NOT_READY", f"the mode is {self.mode}: send commands within {START_TOL_RAD} rad of "
                              f"where the hand is for {self.timers['stream_ms']} ms first")
        self.envelope.restart(self.envelope.target if self.mode in EFFORT else self.q)
        self.forget_tracking()
        self.accepted_ns = self.applied_ns = now
        self.enter("active")

    def on_hold(self, _request, _now):
        self.stop_following("hold was asked for")  # without torque there is nothing to hold

    def on_stop(self, _request, _now):
        if self.mode not in ("fault", "estop"):
            self.enter("off", "stop was asked for")

    def on_estop(self, _request, _now):
        self.enter("estop", "estop was asked for", FAULT["ESTOP"])

    def on_clear_fault(self, _request, _now):
        self.release()
        if self.shown_mode == "releasing":  # the cause is still there
            return
        stays = FAULT["LIMIT_HARD"] if np.any(self.beyond_in_a_row) else 0
        stays |= FAULT["TRACKING"] if self.mode in EFFORT and np.any(self.far_off()) else 0
        self.fault, self.in_a_row = self.fault & stays, {"SHAPE": 0, "NOT_FINITE": 0}
        if self.mode in ("fault", "estop") and not self.fault:
            self.enter("off", "faults were cleared")

    def on_bye(self, _request, _now):
        self.stop_following("the policy said bye")
        self.sid, self.grants, self.trial = 0, [], None

    # ------------------------------------------------------------ the loop

    def run(self):
        """Serves until `self.stopping`, then holds and says so."""
        poller = zmq.Poller()
        poller.register(self.ctl, zmq.POLLIN)
        poller.register(self.cmd, zmq.POLLIN)
        turn_ns = 1_000_000_000 // LOOP_HZ
        due = time.monotonic_ns() + turn_ns
        while not self.stopping:
            left_ns = 50 * MILLIS if self.lockstep else max(0, due - time.monotonic_ns())
            ready = dict(poller.poll(left_ns // MILLIS))
            if not ready and left_ns < MILLIS:  # polling knows whole milliseconds only
                time.sleep(left_ns / 1e9)
            while self.ctl in ready and self.ctl.poll(0):
                peer, *frames = self.ctl.recv_multipart()
                if len(frames) == 1:
                    self.handle_request(peer, frames[0], time.monotonic_ns())
            if self.cmd in ready:
                self.handle_commands()
            now = time.monotonic_ns()
            if self.lockstep:
                self.release()
                due = now + turn_ns
            elif now >= due:
                self.turn(now)
                late = (now - due) // turn_ns
                self.overruns += late
                due += (1 + late) * turn_ns
        self.close()

    def close(self):
        self.stop_following("the controller ends")
        self.why, self.sid = "the controller ends", 0
        self.send(self.state, self.state_message())
        time.sleep(0.05)  # let it leave: sockets do not linger
        for socket in (self.ctl, self.cmd, self.state, self.pose):
            socket.close()
        self.context.term()
