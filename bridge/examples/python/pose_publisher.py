"""A tracker: publishes where an object is, at 60 Hz, on the `pose` socket of hand-link v1 (PROTOCOL.md, section 5).

    python pose_publisher.py --bind tcp://127.0.0.1:7401

It binds `pose` (the port three above the base endpoint), in the place of a controller that tracks nothing. Replace
`Tracker.look` by your camera: everything else stays.
"""

import argparse
import math
import signal
import sys
import time

import zmq

from hand_wire import encode, sockets

RATE_HZ = 60.0


class Tracker:
    """A cube that turns about the vertical above the palm, and is hidden for a moment every ten seconds."""

    object = "cube-70mm"

    def look(self):
        """(when, ns of a monotonic clock; position m; quaternion x y z w), object in the palm frame; or None.

        The time is that of the exposure, not of the result: a camera and its software take their time, and whoever
        uses the pose must know how old it is. The transform from camera to palm is yours to calibrate.
        """
        now = time.monotonic_ns()
        secs = now * 1e-9
        if secs % 10.0 > 9.5:
            return None
        half = 0.5 * 0.4 * secs
        return now, (0.10, 0.0, 0.05), (0.0, 0.0, math.sin(half), math.cos(half))


class Publisher:
    """Numbers poses and sends them. The object's last known place is repeated while it is not seen."""

    def __init__(self, base):
        self.seq, self.last = 0, (0, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0])
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.PUB)
        self.socket.linger, self.socket.sndhwm, self.socket.handshake_ivl = 0, 8, 1000
        self.socket.bind(sockets(base)["pose"])

    def publish(self, name, seen):
        if seen is not None:
            stamp, position, quaternion = seen
            norm = math.sqrt(sum(x * x for x in quaternion))
            if not (math.isfinite(norm) and norm > 0 and all(map(math.isfinite, position))):
                seen = None  # what is no pose is not seen
            else:
                self.last = stamp, [float(x) for x in position], [float(x) / norm for x in quaternion]
        stamp, position, quaternion = self.last
        self.seq += 1
        # A tracker knows of no session, episode or tick, and stamps with its own clock.
        self.socket.send(encode({
            "v": 1, "t": "pose", "sid": 0, "seq": self.seq, "ts": time.monotonic_ns(), "episode": 0, "tick": 0,
            "t_meas": stamp, "object": name, "frame": "palm", "p": position, "q_xyzw": quaternion,
            "valid": seen is not None, "truth": False}))

    def close(self):
        self.context.destroy(linger=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bind", default="tcp://127.0.0.1:7401", help="base endpoint of the hand; `pose` is "
                        "bound, the port three above it (default: %(default)s)")
    options = parser.parse_args()
    stopping = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.append(True))
    try:
        publisher = Publisher(options.bind)
    except (ValueError, zmq.ZMQError) as error:
        print(f"pose_publisher: cannot bind {options.bind}: {error}", file=sys.stderr)
        return 1
    tracker, due = Tracker(), time.monotonic()
    print(f"listening at {sockets(options.bind)['pose']}: {tracker.object}", flush=True)
    while not stopping:
        publisher.publish(tracker.object, tracker.look())
        due = max(due + 1 / RATE_HZ, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    publisher.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
