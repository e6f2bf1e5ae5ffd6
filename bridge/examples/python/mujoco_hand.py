"""A hand in MuJoCo behind hand-link v1: the nearest thing to a real hand that a policy can be tried on.

The kinematics are those of `hand.xml`; everything else is another simulator's: capsule fingertips, MuJoCo's soft
contacts, elliptic friction cones with torsion, and properties drawn from --seed that nobody tells the policy
(README.md lists them). A policy that turns the cube here did not merely learn the quirks of the simulator it was
trained in.
"""

import argparse
import collections
import hashlib
import json
import pathlib
import signal
import sys
import tomllib

import msgpack
import mujoco
import numpy as np

from hand_link import Controller
from hand_wire import is_uint

HAND = pathlib.Path(__file__).resolve().parents[3] / "robots/descriptions/leap-right/hand.xml"
TIMESTEP_SECS = 0.002
CUBE_HALF_M, CUBE_MASS_KG, CUBE_FRICTION = 0.035, 0.108, 0.3
ENCODER_STEP_RAD, VELOCITY_STEP_RAD_PER_SEC = 2 * np.pi / 4096, 0.229 * 2 * np.pi / 60
START_JOINT_SPREAD_RAD, START_OBJECT_SPREAD_M = 0.1, 0.01
START_OVERLAP_M, START_TRIES = 0.002, 1000

# What the policy is not told: (lowest, highest), drawn evenly. README.md explains them.
RANGES = {
    "stiffness_newton_m_per_rad": (2.0, 4.0),
    "damping_newton_m_secs_per_rad": (0.1, 0.3),
    "friction_loss_newton_m": (0.01, 0.04),
    "torque_limit_newton_m": (0.18, 0.26),
    "armature_scale": (0.8, 1.3),
    "joint_spread": (0.0, 0.1),  # every joint's own factor on the above is in 1 plus or minus this
    "link_mass_scale": (0.9, 1.1),
    "tip_radius_m": (0.0105, 0.0125),
    "tip_friction": (0.5, 1.0),
    "link_friction": (0.15, 0.4),
    "torsional_friction_m": (0.001, 0.005),
    "contact_time_secs": (0.006, 0.015),
    "cube_size_m": (0.066, 0.074),
    "cube_mass_kg": (0.080, 0.140),
    "cube_friction": (0.2, 0.4),
    "cube_center_of_mass_m": (-0.003, 0.003),
    "tilt_rad": (0.0, 0.07),
    "tilt_direction_rad": (-np.pi, np.pi),
    "encoder_zero_rad": (-0.02, 0.02),
    "encoder_noise_rad": (0.001, 0.005),
    "velocity_noise_rad_per_sec": (0.01, 0.05),
    "command_delay_secs": (0.010, 0.040),
}
# The tracker's, drawn from a generator of their own: hands that are known by their seeds stay what they are.
TRACKER_RANGES = {
    "tracker_period_secs": (1 / 60, 1 / 15),
    "tracker_delay_secs": (0.02, 0.1),
    "tracker_noise_m": (0.0, 0.003),
    "tracker_noise_rad": (0.0, 0.05),
    "tracker_bias_m": (-0.004, 0.004),
    "tracker_bias_rad": (-0.05, 0.05),
    "tracker_lost_share": (0.0, 0.1),
}
PER_JOINT, PER_AXIS = ("encoder_zero_rad",), ("cube_center_of_mass_m", "tracker_bias_m", "tracker_bias_rad")


class Tracker:
    """Cameras that look at the cube: what they say of it now and then, late, a little wrong, or not at all.

    Without `flaws` every look is exact and at once. Seconds are those of the episode.
    """

    def __init__(self, flaws, rng):
        self.flaws, self.rng = flaws, rng
        self.next_secs, self.coming, self.said = 0.0, collections.deque(), None

    def look(self, secs, position, quaternion):
        """The cube is at `position` (m, palm frame), turned by `quaternion` (x y z w), at `secs`."""
        if not self.flaws:
            self.said = (secs, position, quaternion)
            return
        if secs >= self.next_secs:
            # Looks fall on control periods: a tracker of another rate takes the next one.
            self.next_secs = max(self.next_secs + self.flaws["tracker_period_secs"], secs)
            if self.rng.uniform() >= self.flaws["tracker_lost_share"]:
                self.coming.append((secs, *self.blur(position, quaternion)))
        while self.coming and self.coming[0][0] + self.flaws["tracker_delay_secs"] <= secs + 1e-9:
            self.said = self.coming.popleft()

    def blur(self, position, quaternion):
        flaws = self.flaws
        position = position + flaws["tracker_bias_m"] + flaws["tracker_noise_m"] * self.rng.standard_normal(3)
        turn = flaws["tracker_bias_rad"] + flaws["tracker_noise_rad"] * self.rng.standard_normal(3)
        angle = np.linalg.norm(turn)
        small = np.array([*(np.sinc(angle / 2 / np.pi) / 2 * turn), np.cos(angle / 2)])
        return position.astype(np.float32), multiply(small, quaternion).astype(np.float32)


def multiply(a, b):
    """Product of two quaternions x y z w: first `b`, then `a`."""
    (ax, ay, az, aw), (bx, by, bz, bw) = a, b
    return np.array([aw * bx + ax * bw + ay * bz - az * by, aw * by - ax * bz + ay * bw + az * bx,
                     aw * bz + ax * by - ay * bx + az * bw, aw * bw - ax * bx - ay * by - az * bz])


class MujocoHand:
    """A hand and a cube. A plant as `hand_link.Controller` wants it; arrays are in MuJoCo's order of joints."""

    object = "cube-70mm"

    def __init__(self, hand_xml=HAND, seed=0, nominal=False, redraw=False):
        self.xml, self.seed, self.nominal, self.redraw = pathlib.Path(hand_xml), seed, nominal, redraw
        if self.xml.is_dir():
            self.xml = self.xml / "hand.xml"
        with open(self.xml.with_name("robot.toml"), "rb") as file:
            self.settings = tomllib.load(file)
        self.name = self.xml.resolve().parent.name
        self.period_secs = float(self.settings["control"]["period_secs"])
        self.band_rad = float(self.settings["safety"]["tracking_band_rad"])
        # By default MuJoCo writes a file into the working folder.
        mujoco.set_mju_user_warning(lambda text: print(f"mujoco_hand: {text}", file=sys.stderr))
        self.build(np.random.default_rng([seed, 0]))
        self.describe()
        self.start_episode(b"")

    # ------------------------------------------------------------ the world

    def build(self, rng):
        """A new hand and cube, hidden properties drawn from `rng`."""
        spec = mujoco.MjSpec.from_file(str(self.xml))
        self.home = np.array(spec.keys[0].qpos)
        for key in list(spec.keys):  # it knows nothing of the cube
            spec.delete(key)
        self.joints = [joint.name for joint in spec.joints]
        count = len(self.joints)
        self.hidden = None if self.nominal else {
            name: rng.uniform(*span, count if name in PER_JOINT else 3 if name in PER_AXIS else None)
            for name, span in RANGES.items()}
        self.tracker_flaws = None
        if self.hidden:
            # One of the numbers drawn for the hand says which tracker it is.
            own = np.random.default_rng(int(self.hidden["cube_mass_kg"] * 1e12))
            self.tracker_flaws = {name: own.uniform(*span, 3 if name in PER_AXIS else None)
                                  for name, span in TRACKER_RANGES.items()}
        spec.option.timestep, spec.option.integrator = TIMESTEP_SECS, mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET  # a world that explodes is to be seen
        self.add_cube(spec)
        if self.hidden:
            self.hide_geometry(spec)
            self.hide_dynamics(spec, rng)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.range = self.model.jnt_range[:count].copy()
        self.actuator_joint = self.model.actuator_trnid[:, 0]
        self.full_torque = self.model.actuator_forcerange.copy()
        self.cube = self.model.body("cube").id

    def add_cube(self, spec):
        cube = spec.worldbody.add_body(name="cube")
        cube.add_freejoint()
        cube.add_geom(name="cube", type=mujoco.mjtGeom.mjGEOM_BOX, size=[CUBE_HALF_M] * 3, mass=CUBE_MASS_KG,
                      friction=[CUBE_FRICTION, 0.05, 0.0001], condim=3)

    def hide_geometry(self, spec):
        """Round tips, elliptic cones with torsion, other softness, other sizes."""
        hidden = self.hidden
        spec.option.cone, spec.option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 3.0
        for geom in spec.geoms:
            geom.condim, geom.solref, geom.solimp = 4, [hidden["contact_time_secs"], 1.0], [0.9, 0.95, 0.001, 0.5, 2]
            friction = hidden["link_friction"]
            if geom.name in self.settings["regions"]["tip_geoms"]:
                friction, half = hidden["tip_friction"], np.array(geom.size)
                if geom.type != mujoco.mjtGeom.mjGEOM_BOX or half.argmax() != 2:
                    raise ValueError(f"{geom.name}: expected a box that is longest along its own z")
                radius = hidden["tip_radius_m"]
                geom.type, geom.size = mujoco.mjtGeom.mjGEOM_CAPSULE, [radius, half[2] - radius, 0]
            elif geom.name == "cube":
                friction, geom.size = hidden["cube_friction"], [hidden["cube_size_m"] / 2] * 3
            geom.friction = [friction, hidden["torsional_friction_m"], 0.0001]

    def hide_dynamics(self, spec, rng):
        hidden, count = self.hidden, len(self.joints)

        def each(name):
            return hidden[name] * (1 + hidden["joint_spread"] * rng.uniform(-1, 1, count))

        stiffness, torque = each("stiffness_newton_m_per_rad"), each("torque_limit_newton_m")
        damping, friction_loss = each("damping_newton_m_secs_per_rad"), each("friction_loss_newton_m")
        for joint, *own in zip(spec.joints, damping, friction_loss, each("armature_scale")):
            joint.damping, joint.frictionloss, joint.armature = [own[0], 0, 0], own[1], joint.armature * own[2]
        for servo in spec.actuators:
            index = self.joints.index(servo.target)
            servo.gainprm[0], servo.biasprm[1] = stiffness[index], -stiffness[index]
            servo.forcerange = [-torque[index], torque[index]]
        for body in spec.bodies:
            body.mass *= hidden["link_mass_scale"]
            body.inertia *= hidden["link_mass_scale"]
        cube, size = spec.body("cube"), hidden["cube_size_m"]
        cube.explicitinertial, cube.mass, cube.ipos = True, hidden["cube_mass_kg"], hidden["cube_center_of_mass_m"]
        cube.inertia = [hidden["cube_mass_kg"] * size**2 / 6] * 3
        tilt, direction = hidden["tilt_rad"], hidden["tilt_direction_rad"]
        spec.option.gravity = 9.81 * np.array(
            [np.sin(tilt) * np.cos(direction), np.sin(tilt) * np.sin(direction), -np.cos(tilt)])

    # ------------------------------------------------------------ what the handshake asks

    def describe(self):
        """The kinematics from MuJoCo's own model with every joint at zero. The palm body is the world's frame."""
        model, data = self.model, mujoco.MjData(self.model)
        data.qpos[:] = 0
        mujoco.mj_kinematics(model, data)
        palm = model.body(1)
        if np.any(palm.pos != 0) or np.any(palm.quat != [1, 0, 0, 0]):
            raise ValueError(f"{self.xml}: expected the root body at the origin of the world")
        joints, limits, safety = {}, {}, self.settings["safety"]
        servo = {row["name"]: row["velocity_limit_rad_per_sec"] for row in self.settings["joints"]}
        for index, name in enumerate(self.joints):
            axis, point = data.xaxis[index], data.xanchor[index]
            lower, upper = map(float, self.range[index])
            joints[name] = {"parent": self.joint_before(model.jnt_bodyid[index], index), "axis": axis.tolist(),
                            "point": (point - axis * (axis @ point)).tolist(), "lower": lower, "upper": upper}
            limits[name] = {"lower": lower, "upper": upper,
                            "velocity": min(servo[name], safety["target_velocity_rad_per_sec"]),
                            "acceleration": safety["target_acceleration_rad_per_sec2"]}
        self.tip_points = {row["name"]: (model.body(row["body"]).id, row["point_m"])
                           for row in self.settings["fingertips"]}
        at_zero = self.tips(dict.fromkeys(self.joints, 0.0))
        tips = {name: {"joint": self.joint_before(body), "point": at_zero[name]}
                for name, (body, _) in self.tip_points.items()}
        self.description, self.limits = {"joints": joints, "tips": tips}, limits

    def joint_before(self, body, joint=None):
        """Name of the last joint that moves `body`, or of the one before `joint`; empty if there is none."""
        while body > 0:
            first = self.model.body_jntadr[body]
            own = [j for j in range(first, first + self.model.body_jntnum[body]) if joint is None or j < joint]
            if own:
                return self.joints[own[-1]]
            body = self.model.body_parentid[body]
        return ""

    def tips(self, q):
        data = mujoco.MjData(self.model)
        data.qpos[: len(self.joints)] = [q[name] for name in self.joints]
        mujoco.mj_kinematics(self.model, data)
        return {name: (data.xpos[body] + data.xmat[body].reshape(3, 3) @ point).tolist()
                for name, (body, point) in self.tip_points.items()}

    # ------------------------------------------------------------ an episode

    def start_episode(self, request):
        """Joints about home, the cube above the palm at any yaw, as in the training task. See `episode_seed`."""
        seed = episode_seed(request)
        if self.redraw:
            self.build(np.random.default_rng([self.seed, 1, seed]))
        self.rng = np.random.default_rng([self.seed, 2, seed])
        model, data, count = self.model, self.data, len(self.joints)
        for _ in range(START_TRIES):
            mujoco.mj_resetData(model, data)
            start = np.clip(self.home + self.uniform(START_JOINT_SPREAD_RAD, count), *self.range.T)
            shift, yaw = self.uniform(START_OBJECT_SPREAD_M, 2), float(self.uniform(np.pi, 1)[0])
            data.qpos[:count] = start
            data.qpos[count : count + 3] = np.array(self.settings["object_home"]["position_m"]) + [*shift, 0]
            data.qpos[count + 3 :] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
            mujoco.mj_forward(model, data)
            if self.overlap() < START_OVERLAP_M:  # nobody can put a cube where a finger is
                break
        else:
            raise ValueError(f"found no start without overlap in {START_TRIES} tries")
        self.substeps, self.queue = 0, collections.deque()
        self.tracker = Tracker(self.tracker_flaws, np.random.default_rng([self.seed, 3, seed]))
        self.tracker.look(0.0, *self.pose())
        target = np.clip(start + self.zero(), *self.range.T).astype(np.float32)
        self.follow(target)
        return target

    def uniform(self, span, count):
        return self.rng.uniform(-span, span, count)

    def overlap(self):
        """How deep the cube is inside the hand, m."""
        contacts, bodies = self.data.contact, self.model.geom_bodyid
        return max((-c.dist for c in contacts if self.cube in (bodies[c.geom1], bodies[c.geom2])), default=0.0)

    def zero(self):
        """How far the encoders' zeros are off, rad: reported angle = true angle + this, and targets alike."""
        return self.hidden["encoder_zero_rad"] if self.hidden else np.zeros(len(self.joints))

    def follow(self, target):
        self.data.ctrl[:] = (target.astype(np.float64) - self.zero())[self.actuator_joint]

    def advance(self, secs, target, effort):
        """Time passes. The servos see `target` after the delay of the link, as a step."""
        self.model.actuator_forcerange[:] = effort * self.full_torque
        delay_secs = self.hidden["command_delay_secs"] if self.hidden else 0.0
        self.queue.append((self.substeps + round(delay_secs / TIMESTEP_SECS), target.copy()))
        end = self.substeps + round(secs / TIMESTEP_SECS)
        while self.substeps < end:
            while self.queue and self.queue[0][0] <= self.substeps:
                self.follow(self.queue.popleft()[1])
            until = min(end, self.queue[0][0]) if self.queue else end
            mujoco.mj_step(self.model, self.data, until - self.substeps)
            self.substeps = until
        self.tracker.look(self.substeps * TIMESTEP_SECS, *self.pose())

    def sense(self):
        count = len(self.joints)
        q, dq = self.data.qpos[:count] + self.zero(), self.data.qvel[:count].copy()
        if self.hidden:
            q += self.uniform(self.hidden["encoder_noise_rad"], count)
            dq += self.uniform(self.hidden["velocity_noise_rad_per_sec"], count)
            q = np.round(q / ENCODER_STEP_RAD) * ENCODER_STEP_RAD
            dq = np.round(dq / VELOCITY_STEP_RAD_PER_SEC) * VELOCITY_STEP_RAD_PER_SEC
        return q.astype(np.float32), dq.astype(np.float32)

    def pose(self):
        at = len(self.joints)
        w, x, y, z = self.data.qpos[at + 3 : at + 7]
        return self.data.qpos[at : at + 3].astype(np.float32), np.array([x, y, z, w], np.float32)

    def seen(self):
        """What the tracker said last: how long ago that was true, s, position, quaternion; None before it says anything."""
        if self.tracker.said is None:
            return None
        secs, position, quaternion = self.tracker.said
        return self.substeps * TIMESTEP_SECS - secs, position, quaternion


def episode_seed(request):
    """The only thing this hand takes from a reset: a number from which everything random in the episode follows.

    The request is one msgpack map (or nothing). Its `seed`, `noise_seed` or `episode` is used, whichever comes first;
    a map with none of them, such as another simulator's plan, is reduced to a number by hashing its bytes. All
    other keys are ignored: physics and start are this hand's own business, as they are a real hand's.
    """
    if not request:
        return 0
    try:
        plan = msgpack.unpackb(request)
    except Exception as error:  # msgpack raises a dozen kinds
        raise ValueError(f"episode is not msgpack: {type(error).__name__} {error}"[:200]) from None
    if not isinstance(plan, dict):
        raise ValueError(f"episode should be one map, is {type(plan).__name__}")
    for key in ("seed", "noise_seed", "episode"):
        if key in plan:
            if not is_uint(plan[key]):
                raise ValueError(f"{key} should be an unsigned integer, is {str(plan[key])[:40]}")
            return plan[key]
    return int.from_bytes(hashlib.sha256(request).digest()[:8], "little")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python mujoco_hand.py --bind tcp://127.0.0.1:7401 --seed 3 --lockstep")
    parser.add_argument("--bind", default="tcp://127.0.0.1:7401", help="base endpoint: tcp://127.0.0.1:PORT "
                        "(the next three ports are used too) or ipc://PATH (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which hand and cube: all hidden properties follow from it")
    parser.add_argument("--nominal", action="store_true", help="nothing hidden: hand.xml as it is, box tips, the "
                        "public task's cube, no noise, no delay")
    parser.add_argument("--redraw", action="store_true", help="another hand and cube for every episode, from --seed "
                        "and the episode's seed")
    parser.add_argument("--lockstep", action="store_true", help="time passes on commands only, with or without a "
                        "session; refuse policies that do not want that")
    parser.add_argument("--no-envelope", action="store_true", help="follow every finite target as it is, and say so "
                        "with `no-envelope` in grants: a controller that leaves limits to the policy's side")
    parser.add_argument("--hand", type=pathlib.Path, default=HAND, help="a hand's folder or its hand.xml, "
                        "with robot.toml next to it (default: leap-right of this repository)")
    parser.add_argument("--reveal", action="store_true", help="print the hidden properties as JSON and leave")
    return parser.parse_args()


def main():
    options = arguments()
    try:
        hand = MujocoHand(options.hand, options.seed, options.nominal, options.redraw)
        if options.reveal:
            print(json.dumps(hand.hidden, indent=1, default=lambda array: array.tolist()))
            return 0
        controller = Controller(hand, options.bind, options.lockstep, not options.no_envelope)
    except Exception as error:  # a bad path, description, endpoint or a port in use
        print(f"mujoco_hand: cannot start: {error}", file=sys.stderr)
        return 1

    def stop(_signal, _frame):
        controller.stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    kind = "nominal" if options.nominal else f"seed {options.seed}"
    print(f"listening at {options.bind}: {hand.name} in MuJoCo {mujoco.__version__}, {kind}", flush=True)
    controller.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
