"""A minimal policy side of hand-link v1, and what a controller must withstand. Run it: python test_mujoco_hand.py"""

import copy
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import msgpack
import numpy as np
import zmq

from hand_link import Controller
from hand_wire import Envelope, decode, desc_hash, encode, sockets
from mujoco_hand import MujocoHand

FOLDER = pathlib.Path(__file__).resolve().parent
GOLDEN = FOLDER.parents[1] / "golden/messages.txt"


class Policy:
    """Enough of a client to be a test of the server."""

    def __init__(self, base):
        self.context, self.sid, self.seqs = zmq.Context(), 0, {}
        kinds = {"ctl": zmq.DEALER, "cmd": zmq.PUSH, "state": zmq.SUB, "pose": zmq.SUB}
        for name, endpoint in sockets(base).items():
            socket = self.context.socket(kinds[name])
            socket.linger, socket.maxmsgsize, socket.rcvtimeo = 0, 65536, 5000
            if name == "cmd":
                socket.immediate, socket.sndhwm, socket.sndtimeo = 1, 2, 2000
            if name in ("state", "pose"):
                socket.subscribe(b"")
            socket.connect(endpoint)
            setattr(self, name, socket)

    def close(self):
        self.context.destroy(linger=0)

    def message(self, kind, stream, **body):
        self.seqs[stream] = self.seqs.get(stream, 0) + 1
        head = {"v": 1, "t": kind, "sid": self.sid, "seq": self.seqs[stream], "ts": time.monotonic_ns()}
        return {**head, **body}

    def request(self, kind, **body):
        message = self.message(kind, "ctl", **body)
        self.ctl.send(encode(message))
        reply = msgpack.unpackb(self.ctl.recv())
        assert reply["re"] == message["seq"], reply
        return reply

    def hello(self, hand, wants=("rehearsal", "lockstep", "object_pose"), **changes):
        q = {name: 0.1 + 0.03 * index for index, name in enumerate(hand.joints)}
        body = {"role": "commander", "software": "test 1", "policy": {"name": "", "hash": ""},
                "robot": {"name": hand.name, "desc_hash": desc_hash(hand.description), "dynamics_hash": "",
                          **copy.deepcopy(hand.description)},
                "test_vector": {"q": q, "tips": hand.tips(q)}, "limits": copy.deepcopy(hand.limits),
                "policy_hz": 20.0, "watchdog_ms": 0, "wants": list(wants), **changes}
        reply = self.request("hello", **body)
        if reply["t"] == "welcome":
            self.sid = reply["sid"]
            self.first_state()
        return reply

    def first_state(self):
        """A subscription takes a moment to arrive: ping until a state of this session is seen."""
        for _ in range(100):
            self.request("ping")
            while self.state.poll(50):
                if msgpack.unpackb(self.state.recv())["sid"] == self.sid:
                    while self.state.poll(100) and not self.pose.poll(0):
                        self.state.recv()
                    self.drain()
                    return
        raise AssertionError("no state of this session")

    def drain(self):
        newest = None
        for socket in (self.pose, self.state):
            while socket.poll(0):
                newest = msgpack.unpackb(socket.recv())
        return newest

    def command(self, state, target, **changes):
        body = {"episode": state["episode"], "tick": state["tick"] + 1, "state_seq": state["seq"],
                "t_state": state["ts"], "q": [float(x) for x in target], **changes}
        self.cmd.send(encode(self.message("cmd", "cmd", **body)))

    def step(self, state, target, **changes):
        """One lock-step exchange: the state after it."""
        self.command(state, target, **changes)
        return msgpack.unpackb(self.state.recv())


class Live(unittest.TestCase):
    """Against the real program, over ipc."""

    def start(self, *options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        base = f"ipc://{folder.name}/hand"
        command = [sys.executable, str(FOLDER / "mujoco_hand.py"), "--bind", base, *options]
        program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        self.assertIn("listening", program.stdout.readline())
        self.base, self.program = base, program
        return self.policy()

    def policy(self):
        policy = Policy(self.base)
        self.addCleanup(policy.close)
        return policy

    def begin(self, policy, seed=5):
        started = policy.request("reset", episode=msgpack.packb({"seed": seed}))
        self.assertEqual(started["t"], "started", started)
        self.assertEqual(policy.request("arm")["mode"], "active")
        policy.drain()
        return started

    def test_an_episode_in_lock_step_and_the_same_bits_again(self):
        hand, policy = MujocoHand(seed=3), self.start("--seed", "3")
        welcome = policy.hello(hand)
        self.assertEqual(welcome["t"], "welcome", welcome)
        self.assertEqual(welcome["robot"]["desc_hash"], desc_hash(hand.description))
        self.assertEqual(sorted(welcome["grants"]), ["lockstep", "object_pose", "rehearsal"])
        runs = []
        for _ in range(2):
            started, seen = self.begin(policy), []
            state, start = started["state"], np.array(started["state"]["q_target"], np.float32)
            self.assertEqual((state["tick"], state["mode"], state["cmd_seq"]), (0, "ready", 0))
            self.assertTrue(np.all(np.abs(start - hand.home) < 0.13))
            for tick in range(1, 21):
                target = (start + np.float32(0.05) * np.sin(np.float32(0.3 * tick))).astype(np.float32)
                state = policy.step(state, target)
                pose = msgpack.unpackb(policy.pose.recv())
                self.assertEqual((state["tick"], pose["tick"], state["mode"]), (tick, tick, "active"), state)
                self.assertEqual(state["t_meas"], tick * 50_000_000)
                self.assertEqual(state["q_target"], target.tolist(), "within limits, bit for bit")
                numbers = state["q"] + state["dq"] + pose["p"] + pose["q_xyzw"]
                self.assertTrue(np.all(np.isfinite(numbers)))
                self.assertAlmostEqual(float(np.linalg.norm(pose["q_xyzw"])), 1.0, places=5)
                seen.append(numbers)
            self.assertLess(np.linalg.norm(np.array(pose["p"]) - [0.1, 0, 0.03]), 0.06, "the cube is in the palm")
            runs.append(seen)
            self.assertIsNone(policy.drain(), "one state and one pose for each command, nothing else")
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(policy.request("bye")["t"], "ok")

    def test_bad_commands_are_refused_and_change_nothing(self):
        hand, policy = MujocoHand(), self.start()
        self.assertEqual(policy.hello(hand)["t"], "welcome")
        state = self.begin(policy)["state"]
        state = policy.step(state, state["q_target"])
        nan = [float("nan")] + state["q_target"][1:]
        for code, target, changes in (("NOT_FINITE", nan, {}), ("NOT_FINITE", [1e300] + nan[1:], {}),
                                      ("SHAPE", nan[1:], {}), ("TICK", state["q_target"], {"tick": 9}),
                                      ("EPISODE", state["q_target"], {"episode": 7}),
                                      ("SEQUENCE", state["q_target"], {"seq": 1})):
            body = policy.message("cmd", "cmd", episode=state["episode"], tick=state["tick"] + 1,
                                  state_seq=state["seq"], t_state=state["ts"], q=target)
            policy.cmd.send(msgpack.packb({**body, **changes}))
            after = msgpack.unpackb(policy.state.recv())
            self.assertEqual((after["refused"]["code"], after["tick"]), (code, state["tick"]), after)
            self.assertEqual(after["q"], state["q"])
        garbage = [b"", b"\xc1", b"\x81", encode({"v": 1}), b"\x91" * 5000]
        for changes in ({"tick": "2"}, {"v": 2}, {"q": [True] * 16}, {"sid": 5}):
            garbage.append(encode({**body, "q": state["q_target"], **changes}))
        garbage.append(encode({**body, "q": state["q_target"], "seq": 99}) + b"\x00")
        for data in garbage:
            policy.cmd.send(data)
        after = policy.step(after, state["q_target"])
        self.assertEqual((after["tick"], after["refused"], after["rx_bad"]), (2, None, 3 + len(garbage)), after)
        for _ in range(3):
            policy.step(after, nan)
        self.assertEqual(policy.request("arm")["code"], "FAULT_LATCHED")
        self.assertEqual(policy.request("clear_fault")["fault"], 0)

    def test_another_hand_is_refused_by_name(self):
        hand, policy = MujocoHand(), self.start()

        def refused(code, words, **changes):
            reply = policy.hello(hand, **changes)
            self.assertEqual((reply["t"], reply.get("code")), ("reject", code), reply)
            for word in words:
                self.assertIn(word, reply["detail"])

        def altered(*path, value):
            robot = {"name": "x", "desc_hash": "", "dynamics_hash": "", **copy.deepcopy(hand.description)}
            place = robot
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            return robot

        renamed = altered("name", value="x")
        renamed["joints"]["pinky"] = renamed["joints"].pop("ring_pip")
        refused("ROBOT_MISMATCH", ["pinky", "ring_pip"], robot=renamed)
        flipped = [-x for x in hand.description["joints"]["thumb_ip"]["axis"]]
        refused("ROBOT_MISMATCH", ["thumb_ip", "axis"], robot=altered("joints", "thumb_ip", "axis", value=flipped))
        refused("ROBOT_MISMATCH", ["index_pip", "parent"],
                robot=altered("joints", "index_pip", "parent", value="ring_pip"))
        q = dict.fromkeys(hand.joints, 0.2)
        tips = {name: np.add(point, [0, 0.0012, 0]).tolist() for name, point in hand.tips(q).items()}
        refused("ROBOT_MISMATCH", ["test_vector"], test_vector={"q": q, "tips": tips})
        refused("RATE", ["20"], policy_hz=30.0)
        tight = {**hand.limits, "thumb_ip": {**hand.limits["thumb_ip"], "lower": 5.0}}
        refused("LIMITS", ["thumb_ip"], limits=tight)
        refused("VERSION", ["1"], v=2)
        refused("MALFORMED", ["limits"], limits=3)
        self.assertEqual(policy.request("dance")["code"], "UNKNOWN_TYPE")
        self.assertEqual(policy.request("arm")["code"], "NOT_COMMANDER")
        self.assertEqual(policy.hello(hand)["notes"], [])

    def test_there_is_one_commander(self):
        hand, policy = MujocoHand(), self.start()
        self.assertEqual(policy.hello(hand)["t"], "welcome")
        second = self.policy()
        reply = second.hello(hand)
        self.assertEqual((reply["t"], reply["code"]), ("reject", "LEASE_HELD"), reply)
        self.assertIn("test 1", reply["detail"])
        self.begin(policy)
        self.assertEqual(second.request("stop")["mode"], "off", "anyone may stop")
        self.assertEqual(policy.request("bye")["t"], "ok")
        self.assertEqual(second.hello(hand)["t"], "welcome")
        self.assertEqual(policy.request("arm")["code"], "NOT_COMMANDER")

    def test_silence_in_real_time_ends_in_hold_and_a_stream_rearms(self):
        hand, policy = MujocoHand(), self.start("--nominal")
        welcome = policy.hello(hand, wants=("rehearsal", "object_pose"))
        self.assertNotIn("lockstep", welcome["grants"])
        self.assertGreaterEqual(welcome["state_hz"], 100)
        self.begin(policy)
        state = self.stream(policy, 0.5)
        self.assertEqual((state["mode"], state["rx_bad"], state["rx_stale"]), ("active", 0, 0), state)
        time.sleep(0.3)
        state = self.newest(policy)
        self.assertEqual((state["mode"], state["fault"] & 1), ("hold", 1), state)
        policy.command(state, state["q_target"])
        time.sleep(0.04)
        self.assertEqual(self.newest(policy)["mode"], "active", "a short silence is forgiven")
        policy.command(state, state["q_target"], t_state=state["ts"] - 10**9)
        time.sleep(0.04)
        self.assertEqual(self.newest(policy)["rx_stale"], 1)
        policy.request("stop")
        self.assertEqual(policy.request("arm")["code"], "NOT_READY")
        state = self.stream(policy, 0.7)
        self.assertEqual((state["mode"], policy.request("arm")["t"]), ("off", "ok"))
        policy.request("estop")
        self.assertEqual(policy.request("arm")["code"], "FAULT_LATCHED")
        self.assertEqual(policy.request("clear_fault")["mode"], "off")

    def newest(self, policy):
        state = None
        while policy.state.poll(20 if state is None else 0):
            state = msgpack.unpackb(policy.state.recv())
        policy.drain()
        return state

    def stream(self, policy, secs):
        end = time.monotonic() + secs
        while time.monotonic() < end:
            state = self.newest(policy)
            policy.command(state, state["q_target"])
            time.sleep(0.04)
        return self.newest(policy)

    def test_it_ends_cleanly(self):
        policy = self.start("--lockstep")
        self.assertEqual(policy.hello(MujocoHand(), wants=())["code"], "UNSUPPORTED")
        self.assertEqual(policy.hello(MujocoHand())["t"], "welcome")
        self.program.send_signal(signal.SIGTERM)
        last = msgpack.unpackb(policy.state.recv())
        self.assertEqual((last["sid"], last["why"]), (0, "the controller ends"))
        self.assertEqual(self.program.wait(5), 0)


class Alone(unittest.TestCase):
    @unittest.skipUnless(GOLDEN.exists(), "golden bytes are not here")
    def test_messages_are_byte_for_byte_those_of_the_rust_side(self):
        lines = [line.split() for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#")]
        self.assertGreater(len(lines), 15)
        for name, data in lines:
            message = decode(bytes.fromhex(data))
            if name in ("hello", "welcome"):  # their rates are double floats there
                self.assertEqual(message["robot"]["desc_hash"], desc_hash(message["robot"]))
            else:
                self.assertEqual(encode(message).hex(), data, name)

    def test_the_envelope_bounds_every_target(self):
        limits = {"j": {"lower": -1.0, "upper": 1.0, "velocity": 3.0, "acceleration": 60.0}}
        envelope, random = Envelope(limits, ["j"], 0.05, 0.5), np.random.default_rng(1)
        before, measured = np.zeros(1, np.float32), np.zeros(1, np.float32)
        for _ in range(2000):
            target, _ = envelope.apply(random.normal(0, 1, 1).astype(np.float32), measured, 0.05)
            self.assertLessEqual(abs(target[0] - before[0]), 0.15 + 1e-6)
            self.assertLessEqual(abs(target[0]), 1)
            before, measured = target, measured + np.float32(0.5) * (target - measured)
        self.assertEqual(envelope.apply(before + np.float32(1e-3), before, 0.05)[1], 0)

    def test_the_cube_rests_in_the_palm_for_twenty_seconds(self):
        dropped = []
        for seed in range(20):
            hand = MujocoHand(seed=seed)
            target, start = hand.start_episode(msgpack.packb({"seed": seed})), hand.pose()[0]
            hand.advance(20.0, target, 1.0)
            position = hand.pose()[0]
            if np.linalg.norm(position - start) > 0.1 or position[2] < 0:
                dropped.append(seed)
        self.assertLessEqual(len(dropped), 1, dropped)

    def test_a_tracker_says_of_the_cube_what_is_true_only_where_nothing_is_hidden(self):
        def looks(hand):
            target = hand.start_episode(msgpack.packb({"seed": 4}))
            for _ in range(100):
                hand.advance(hand.period_secs, target, 1.0)
                yield hand.seen(), hand.pose()

        for seen, (position, quaternion) in looks(MujocoHand(nominal=True)):
            self.assertEqual((seen[0], seen[1].tolist(), seen[2].tolist()), (0, position.tolist(), quaternion.tolist()))
        hidden = MujocoHand(seed=4)
        delay, said = hidden.tracker_flaws["tracker_delay_secs"], list(looks(hidden))
        at_rest = said[-20:]
        for (age, place, turn), (position, quaternion) in at_rest:
            self.assertGreaterEqual(age, delay - 1e-6)
            self.assertLess(np.abs(place - position).max(), 0.004 + 5 * 0.003)
            self.assertAlmostEqual(float(np.linalg.norm(turn)), 1, places=5)
            self.assertLess(2 * np.arccos(min(1, abs(float(turn @ quaternion)))), 0.09 + 5 * 0.09)
        self.assertTrue(any(not np.array_equal(look[1], truth[0]) for look, truth in at_rest))
        again = MujocoHand(seed=4)
        self.assertEqual([look[1].tolist() for look, _ in looks(again)], [look[1].tolist() for look, _ in said])

    def test_a_world_that_explodes_is_a_fault_and_publishes_finite_numbers(self):
        with tempfile.TemporaryDirectory() as folder:
            controller = Controller(MujocoHand(), f"ipc://{folder}/hand", lockstep_only=True)
            before = controller.pose_message()
            controller.plant.data.qpos[:] = np.nan
            controller.move(0.05)
            state, pose = controller.state_message(), controller.pose_message()
            self.assertEqual((state["mode"], state["fault"]), ("fault", 1 << 17))
            self.assertTrue(np.all(np.isfinite(state["q"] + state["q_target"])))
            self.assertEqual((pose["valid"], pose["p"]), (False, before["p"]))
            controller.close()

    def test_a_reset_takes_a_seed_or_any_map_and_nothing_else(self):
        hand = MujocoHand(seed=1)
        first = hand.start_episode(msgpack.packb({"seed": 4, "plan": {"physics": 9.5}}))
        self.assertTrue(np.array_equal(first, hand.start_episode(msgpack.packb({"seed": 4}))))
        self.assertFalse(np.array_equal(first, hand.start_episode(msgpack.packb({"noise_seed": 5}))))
        self.assertFalse(np.array_equal(first, hand.start_episode(msgpack.packb({"other": 1}))))
        for bad in (b"\xc1", msgpack.packb([1]), msgpack.packb({"seed": -1}), msgpack.packb({"seed": 1}) + b"\x00"):
            with self.assertRaises(ValueError):
                hand.start_episode(bad)

    def test_other_seeds_are_other_hands_with_the_same_kinematics(self):
        one, other, nominal = MujocoHand(seed=1), MujocoHand(seed=2), MujocoHand(nominal=True)
        self.assertNotEqual(one.hidden["cube_mass_kg"], other.hidden["cube_mass_kg"])
        self.assertIsNone(nominal.hidden)
        self.assertEqual(len({desc_hash(hand.description) for hand in (one, other, nominal)}), 1)


if __name__ == "__main__":
    unittest.main()
