"""Policies and trackers in Python against the real programs, and the same judgement of bytes as in Rust.

    python test_protocol.py
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import msgpack
import zmq

from hand_wire import Refusal, decode, encode, sockets, take
from mujoco_hand import MujocoHand
from policy_client import Client, run
from pose_publisher import Publisher, Tracker

try:
    import jsonschema
except ImportError:  # the Rust side checks the same with fewer words
    jsonschema = None

FOLDER = pathlib.Path(__file__).resolve().parent
BRIDGE = FOLDER.parents[1]
COMMAND = (("episode", "uint"), ("tick", "uint"), ("state_seq", "uint"), ("t_state", "int"), ("q", "array of numbers"))


def accepts_command(data):
    """Whether bytes are a well-formed `cmd` of version 1 (rule 1 of section 5)."""
    try:
        message = decode(data)
        for key, kind in COMMAND:
            take(message, key, kind)
        return message["v"] == 1 and message["t"] == "cmd"
    except Refusal:
        return False


def golden():
    lines = (BRIDGE / "golden/messages.txt").read_text().splitlines()
    return [(name, bytes.fromhex(data)) for name, data in (line.split() for line in lines if line[0] != "#")]


def as_json(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


class Bytes(unittest.TestCase):
    def test_golden_messages_are_encoded_to_the_same_bytes(self):
        for name, data in golden():
            message = decode(data)
            if name not in ("hello", "welcome"):  # their rates are doubles there
                self.assertEqual(encode(message), data, name)
            self.assertEqual(decode(encode(message))["t"], message["t"])

    def test_the_list_of_bytes_is_judged_as_in_rust(self):
        lines = (BRIDGE / "golden/judgements.txt").read_text().splitlines()
        judged = [line.split(" ", 2) for line in lines if line and line[0] != "#"]
        self.assertGreater(len(judged), 25)
        for verdict, data, what in judged:
            self.assertEqual(accepts_command(bytes.fromhex(data.strip("-"))), verdict == "yes", what)

    @unittest.skipUnless(jsonschema, "jsonschema is not here")
    def test_golden_messages_fit_the_schema_and_damaged_ones_do_not(self):
        schema = json.loads((BRIDGE / "schema/hand-link-1.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        for name, data in golden():
            message = as_json(decode(data))
            self.assertTrue(validator.is_valid(message), name)
            for key in ("v", "t", "seq"):
                less = {other: value for other, value in message.items() if other != key}
                self.assertFalse(validator.is_valid(less), f"{name} without {key}")
        pose = as_json(decode(dict(golden())["pose"]))
        self.assertFalse(validator.is_valid({**pose, "q_xyzw": [0.0, 0.0, 0.0, 1.0, 0.0]}))


class Programs(unittest.TestCase):
    """Over ipc, against the program that a user starts."""

    def start(self, *options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        base = f"ipc://{folder.name}/hand"
        command = [sys.executable, str(FOLDER / "mujoco_hand.py"), "--bind", base, *options]
        program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for cleanup in (program.stdout.close, program.wait, program.kill):
            self.addCleanup(cleanup)
        self.assertIn("listening", program.stdout.readline())
        return base

    def client(self, base):
        client = Client(base, MujocoHand(nominal=True))
        self.addCleanup(client.close)
        return client

    def test_a_policy_swings_one_joint_of_the_hand_in_mujoco(self):
        client = self.client(self.start("--nominal"))
        moved = run(client, "index_mcp_side", 2.0)  # the cube is in nobody's way there
        self.assertGreater(moved, 0.1, client.state)
        self.assertLess(moved, 0.4, client.state)
        self.assertEqual(client.state["rx_bad"], 0)

    def test_a_controller_without_an_envelope_says_so_and_passes_targets_on(self):
        for options, grants in (((), []), (("--no-envelope",), ["no-envelope"])):
            client = self.client(self.start("--nominal", "--lockstep", *options))
            client.hello(wants=["lockstep", "rehearsal"])
            self.assertEqual(client.welcome["grants"], ["rehearsal", "lockstep", *grants])
            state = client.expect("reset", "started", episode=msgpack.packb({"seed": 1}))["state"]
            client.arm()
            far = [state["q_target"][0] + 0.5, *state["q_target"][1:]]
            command = {"episode": state["episode"], "tick": 1, "state_seq": state["seq"], "t_state": state["ts"]}
            client.cmd_socket.send(encode({**client.head("cmd", "cmd"), **command, "q": far}))
            deadline = time.monotonic() + 5
            while client.state["tick"] != 1 and time.monotonic() < deadline:
                client.listen(0.02)
            passed = client.state["q_target"] == decode(encode({**client.state, "q": far}))["q"]
            self.assertEqual((passed, client.state["clip"] == 0), (bool(grants), bool(grants)), client.state)
            client.close()

    def test_a_tracker_publishes_poses_of_its_own_clock(self):
        with tempfile.TemporaryDirectory() as folder:
            base = f"ipc://{folder}/hand"
            publisher, context = Publisher(base), zmq.Context()
            reader = context.socket(zmq.SUB)
            reader.subscribe(b"")
            reader.connect(sockets(base)["pose"])
            seen, deadline = None, time.monotonic() + 5
            while seen is None and time.monotonic() < deadline:
                publisher.publish("cube", (7, (0.1, 0.2, 0.3), (0.0, 0.0, 0.0, 2.0)))
                seen = decode(reader.recv()) if reader.poll(20) else None
            self.assertEqual((seen["sid"], seen["t_meas"], seen["valid"], seen["truth"]), (0, 7, True, False))
            self.assertEqual(seen["q_xyzw"], [0.0, 0.0, 0.0, 1.0], "a unit quaternion")
            while reader.poll(50):
                reader.recv()
            publisher.publish("cube", (8, (math.nan, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)))
            self.assertTrue(reader.poll(2000))
            lost = decode(reader.recv())
            self.assertEqual((lost["valid"], lost["p"]), (False, seen["p"]), "the last known, and not seen now")
            self.assertIsNotNone(Tracker().object)
            publisher.close()
            context.destroy(linger=0)


if __name__ == "__main__":
    unittest.main()
