"""The policy side of hand-link v1 in one page: connect, arm, move one joint to and fro at 20 Hz, leave.

    python policy_client.py --connect tcp://127.0.0.1:7401 --seconds 5

Replace `targets` by your policy. The hand is described from its `hand.xml` by MuJoCo (`MujocoHand.describe`); any
software that can tell joint axes and fingertips at angle zero will do (PROTOCOL.md, section 4). The controller judges
everything that is sent, so the worst a mistake here does is a refusal.
"""

import argparse
import math
import pathlib
import sys
import time

import zmq

from hand_wire import Refusal, compare, compare_tips, decode, desc_hash, encode, sockets
from mujoco_hand import HAND, MujocoHand

NEAREST_RAD, SWING_RAD, SWING_HZ = 0.05, 0.2, 0.5
LINK_LOST_SECS, REPLY_SECS, ARM_SECS = 0.3, 2.0, 3.0


class Client:
    """Four sockets and one session with a controller."""

    def __init__(self, base, hand):
        self.hand, self.sid, self.state, self.pose, self.heard = hand, 0, None, None, 0.0
        self.seqs, self.context = {"ctl": 0, "cmd": 0}, zmq.Context()
        kinds = {"ctl": zmq.DEALER, "cmd": zmq.PUSH, "state": zmq.SUB, "pose": zmq.SUB}
        for name, endpoint in sockets(base).items():
            socket = self.context.socket(kinds[name])
            socket.linger, socket.maxmsgsize, socket.handshake_ivl = 100 if name == "ctl" else 0, 65536, 1000
            if name in ("state", "pose"):
                socket.subscribe(b"")
            if name == "cmd":  # nothing waits for a controller that is not there
                socket.immediate, socket.sndhwm = 1, 2
            socket.connect(endpoint)
            setattr(self, name + "_socket", socket)

    def head(self, kind, stream):
        self.seqs[stream] += 1
        return {"v": 1, "t": kind, "sid": self.sid, "seq": self.seqs[stream], "ts": time.monotonic_ns()}

    def ask(self, kind, **body):
        """Sends a request and returns its reply, whatever it says."""
        request = {**self.head(kind, "ctl"), **body}
        self.ctl_socket.send(encode(request))
        deadline = time.monotonic() + REPLY_SECS
        while (left := deadline - time.monotonic()) > 0:
            if self.ctl_socket.poll(1000 * left):
                reply = decode(self.ctl_socket.recv())
                if reply.get("re") == request["seq"]:
                    return reply
        raise TimeoutError(f"no reply to {kind} within {REPLY_SECS} s: is a controller running there?")

    def expect(self, kind, answer, **body):
        reply = self.ask(kind, **body)
        if reply["t"] != answer:
            raise Refusal(reply.get("code", "?"), f"{kind} was refused: {reply.get('detail', reply)}")
        return reply

    def hello(self, wants=()):
        """Opens a session; checks that the controller has our hand; waits for its first state."""
        hand = self.hand
        q = {joint: (limit["lower"] + 0.3 * (limit["upper"] - limit["lower"])) for joint, limit in hand.limits.items()}
        robot = {"name": hand.name, "desc_hash": desc_hash(hand.description), "dynamics_hash": "", **hand.description}
        vector = {"q": q, "tips": hand.tips(q)}
        self.welcome = self.expect(
            "hello", "welcome", role="commander", software="policy_client 1", policy={"name": "sine", "hash": ""},
            robot=robot, test_vector=vector, limits=hand.limits, policy_hz=1 / hand.period_secs, watchdog_ms=0,
            wants=list(wants))
        self.sid = self.welcome["sid"]
        compare(self.welcome["robot"], robot)
        compare_tips(self.welcome["test_vector"]["tips"], vector["tips"])
        self.joints = self.welcome["joints"]  # the order of every array from now on
        deadline = time.monotonic() + REPLY_SECS
        while self.state is None:  # a subscription takes a moment to arrive: ping until it has
            self.expect("ping", "pong")
            self.listen(0.05)
            if time.monotonic() > deadline:
                raise TimeoutError("the controller answered, but publishes no state of this session")

    def listen(self, secs):
        """Takes in states and poses for so long; the newest of each stays."""
        deadline, poller = time.monotonic() + secs, zmq.Poller()
        poller.register(self.state_socket, zmq.POLLIN)
        poller.register(self.pose_socket, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(max(0, math.ceil(1000 * (deadline - time.monotonic())))))
            if self.state_socket in ready:
                state = decode(self.state_socket.recv())
                if state["sid"] == self.sid:  # states of nobody and of others before us are of no use
                    self.state, self.heard = state, time.monotonic()
            if self.pose_socket in ready:
                self.pose = decode(self.pose_socket.recv())
            if time.monotonic() >= deadline and not ready:
                return

    def command(self, targets):
        """Commands targets, computed from the newest state. False if nobody takes it."""
        state = self.state
        body = {"episode": state["episode"], "tick": 0, "state_seq": state["seq"], "t_state": state["ts"],
                "q": [float(target) for target in targets]}
        try:
            self.cmd_socket.send(encode({**self.head("cmd", "cmd"), **body}), zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def arm(self):
        """From `ready` at once; otherwise commands to stay are streamed until the controller is satisfied."""
        deadline = time.monotonic() + ARM_SECS
        while True:
            reply = self.ask("arm")
            if reply["t"] == "ok":
                return
            if reply["code"] != "NOT_READY" or time.monotonic() > deadline:
                raise Refusal(reply["code"], reply["detail"])
            self.command(self.state["q_target"])
            self.listen(self.hand.period_secs)

    def close(self):
        """Says goodbye: the controller holds at once instead of waiting for our silence."""
        if self.sid and not self.context.closed:
            self.ctl_socket.send(encode(self.head("bye", "ctl")))
        self.sid = 0
        self.context.destroy(linger=100)


def targets(client, start, at, secs):
    """What a policy would compute: one joint swings inside its limits, the others stay."""
    limits = client.welcome["limits"][client.joints[at]]
    lower, upper = limits["lower"] + NEAREST_RAD, limits["upper"] - NEAREST_RAD
    swing = SWING_RAD if start[at] + SWING_RAD <= upper else -SWING_RAD
    wanted = list(start)
    wanted[at] = min(max(start[at] + swing * 0.5 * (1 - math.cos(2 * math.pi * SWING_HZ * secs)), lower), upper)
    return wanted


def run(client, joint, seconds):
    """The loop: a timer of our own, the newest state, one command. Returns how far the joint moved, rad."""
    client.hello()
    client.arm()
    start, at = client.state["q_target"], client.joints.index(joint)
    period, begin = client.hand.period_secs, time.monotonic()
    lowest = highest = client.state["q"][at]
    due = begin
    while (now := time.monotonic()) < begin + seconds:
        if now - client.heard > LINK_LOST_SECS:
            raise TimeoutError(f"no state for {now - client.heard:.2f} s: the controller holds by itself")
        if client.state["mode"] not in ("active", "hold") and now > begin + 1:
            raise Refusal("STOPPED", f"mode {client.state['mode']}: {client.state['why']}")
        client.command(targets(client, start, at, now - begin))
        due = max(due + period, now)
        client.listen(max(0.0, due - time.monotonic()))
        lowest, highest = min(lowest, client.state["q"][at]), max(highest, client.state["q"][at])
    return highest - lowest


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--connect", default="tcp://127.0.0.1:7401", help="base endpoint (default: %(default)s)")
    parser.add_argument("--joint", default=None, help="which joint swings (default: the first of the hand)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for how long (default: %(default)s)")
    parser.add_argument("--hand", type=pathlib.Path, default=HAND, help="a hand's folder or its hand.xml")
    options = parser.parse_args()
    hand = MujocoHand(options.hand, nominal=True)
    client = Client(options.connect, hand)
    try:
        joint = options.joint or hand.joints[0]
        moved = run(client, joint, options.seconds)
        print(f"{joint} moved {moved:.3f} rad; dropped as old: {client.state['rx_stale']}, as bad: "
              f"{client.state['rx_bad']}")
    except (Refusal, TimeoutError, ValueError) as error:
        print(f"policy_client: {error}", file=sys.stderr)
        return 1
    finally:
        client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
