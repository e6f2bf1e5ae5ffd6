"""The MuJoCo side of `giraffe compare-engines` and `giraffe bench physics`.

Reads one JSON object per line from standard input and answers each with one line: `{"ok": ...}` or `{"error": "..."}`.
README.md says what is compared; here it is only done as asked. Units: m, kg, s, rad, N. Quaternions: w, x, y, z.
Joints are in the order that `load` names them, whatever the file's own order.
"""

import json
import math
import platform
import signal
import sys
import time

try:
    import mujoco
    import numpy as np
except ImportError as problem:
    print(json.dumps({"error": f"{problem}", "missing": True}), flush=True)
    sys.exit(0)

INTEGRATORS = {name: getattr(mujoco.mjtIntegrator, f"mjINT_{name.upper()}", None)
               for name in ("euler", "implicit", "implicitfast", "discrete")}
# Options whose values have names; others are numbers.
NAMED = {"cone": {"pyramidal": mujoco.mjtCone.mjCONE_PYRAMIDAL, "elliptic": mujoco.mjtCone.mjCONE_ELLIPTIC},
         "solver": {"newton": mujoco.mjtSolver.mjSOL_NEWTON, "cg": mujoco.mjtSolver.mjSOL_CG,
                    "pgs": mujoco.mjtSolver.mjSOL_PGS}}
SHAPES = {"box": mujoco.mjtGeom.mjGEOM_BOX, "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
          "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE, "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER}
OBJECT = "compared_object"
FORCE_FLOOR_NEWTON = 1e-9


class World:
    """One hand, with an object or without."""

    def __init__(self, ask):
        spec = mujoco.MjSpec.from_string(ask["xml"])
        self.period_secs, self.substeps = ask["period_secs"], ask["substeps"]
        spec.option.timestep = self.period_secs / self.substeps
        if INTEGRATORS.get(ask["integrator"]) is None:
            raise ValueError(f"MuJoCo {mujoco.__version__} has no integrator {ask['integrator']}")
        spec.option.integrator = INTEGRATORS[ask["integrator"]]
        for name, value in ask["options"].items():
            if name in NAMED and value is not None and value not in NAMED[name]:
                raise ValueError(f"MuJoCo {mujoco.__version__} has no {name} {value}")
            if value is not None:
                setattr(spec.option, name, NAMED[name][value] if name in NAMED else value)
        # A world that explodes is to be seen, not to start anew.
        spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        if not ask["contacts"]:
            spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
        self.lock_others(spec, ask["joints"])
        if ask.get("object"):
            self.add_object(spec, ask["object"])
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.find(ask)

    @staticmethod
    def lock_others(spec, joints):
        """Joints that the other engine holds still are taken out: their bodies are welded where the file's home has them."""
        home = dict(zip((joint.name for joint in spec.joints), spec.keys[0].qpos if spec.keys else []))
        for key in list(spec.keys):  # it knows nothing of the object
            spec.delete(key)
        others = [joint for joint in spec.joints if joint.name not in joints]
        names = {joint.name for joint in others}
        for servo in [servo for servo in spec.actuators if servo.target in names]:
            spec.delete(servo)
        for joint in others:
            turn, quat = np.zeros(4), np.zeros(4)
            mujoco.mju_axisAngle2Quat(turn, joint.axis, home.get(joint.name, 0.0))
            mujoco.mju_mulQuat(quat, joint.parent.quat, turn)
            joint.parent.quat = quat
            spec.delete(joint)

    @staticmethod
    def add_object(spec, thing):
        body = spec.worldbody.add_body(name=OBJECT)
        body.add_freejoint()
        more = {"friction": [thing["friction"], 0.005, 0.0001], "mass": thing["mass_kg"], "name": OBJECT}
        if thing["shape"] == "hull":
            points = [number for point in thing["points_m"] for number in point]
            spec.add_mesh(name=OBJECT, uservert=points)
            body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=OBJECT, **more)
        else:
            body.add_geom(type=SHAPES[thing["shape"]], size=thing["size_m"], **more)

    def find(self, ask):
        model = self.model
        ids = [model.joint(name).id for name in ask["joints"]]
        self.qpos, self.qvel = model.jnt_qposadr[ids], model.jnt_dofadr[ids]
        # A servo that a tendon joins to several joints is given their targets as the tendon weighs them.
        self.mix = np.zeros((model.nu, len(ids)))
        for servo in range(model.nu):
            kind, other = model.actuator_trntype[servo], model.actuator_trnid[servo, 0]
            if kind == mujoco.mjtTrn.mjTRN_TENDON:
                first = model.tendon_adr[other]
                for wrap in range(first, first + model.tendon_num[other]):
                    self.mix[servo, ids.index(model.wrap_objid[wrap])] += model.wrap_prm[wrap]
            else:
                self.mix[servo, ids.index(other)] = 1.0
        self.object = model.body(OBJECT).id if ask.get("object") else None
        if self.object is not None:
            self.geom = model.body_geomadr[self.object]
            joint = model.body_jntadr[self.object]
            self.free, self.free_dof = model.jnt_qposadr[joint], model.jnt_dofadr[joint]
        regions = ask.get("regions", {})
        names = [model.geom(index).name for index in range(model.ngeom)]
        self.region = np.array([regions.get(name, -1) for name in names])

    def options(self):
        """What the model has of what was asked for, in the same words."""
        option = self.model.opt
        words = {name: next(word for word, value in values.items() if value == getattr(option, name))
                 for name, values in {"integrator": INTEGRATORS, **NAMED}.items()}
        return {**words, "iterations": option.iterations, "ls_iterations": option.ls_iterations,
                "tolerance": option.tolerance, "timestep": option.timestep}

    def begin(self, start):
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self.qpos] = start["joints_rad"]
        self.data.ctrl[:] = self.mix @ np.array(start["joints_rad"])
        if self.object is not None:
            self.data.qpos[self.free:self.free + 3] = start["object_m"]
            self.data.qpos[self.free + 3:self.free + 7] = start["object_wxyz"]

    def touching(self):
        """Points that carry force, their normal forces added up, the deepest overlap, and how many regions and shapes touch."""
        model, data, wrench = self.model, self.data, np.zeros(6)
        points, force, deepest, regions, shapes = 0, 0.0, 0.0, set(), set()
        pairs, gaps = data.contact.geom, data.contact.dist
        for index in np.nonzero((pairs == self.geom).any(axis=1))[0]:
            mujoco.mj_contactForce(model, data, index, wrench)
            if wrench[0] > FORCE_FLOOR_NEWTON:
                points, force, deepest = points + 1, force + wrench[0], max(deepest, -gaps[index])
                other = pairs[index][0] if pairs[index][1] == self.geom else pairs[index][1]
                regions.add(int(self.region[other]))
                shapes.add(int(other))
        return [points, float(force), float(deepest), len(regions), len(shapes)]

    def overlap(self, start):
        """How deep the object stands inside the hand at a start, m."""
        self.begin(start)
        mujoco.mj_forward(self.model, self.data)
        pairs, gaps = self.data.contact.geom, self.data.contact.dist
        return float(max((-gap for pair, gap in zip(pairs, gaps) if self.geom in pair), default=0.0))

    def rollout(self, ask):
        """Follows the targets, one row per control step, and says where everything is at the end of each."""
        model, data = self.model, self.data
        self.begin(ask["start"])
        controls = np.array(ask["targets_rad"]) @ self.mix.T
        impulses = {}
        for step, *newton_secs in ask["impulses"]:
            impulses.setdefault(int(step), []).append(newton_secs)
        gravity = ask["gravity"]
        trace = {"joints_rad": [], "object": [], "contacts": [], "diverged": False}
        for step, control in enumerate(controls):
            model.opt.gravity[:] = gravity[min(step, len(gravity) - 1)]
            for newton_secs in impulses.get(step, []):
                velocity = data.qvel[self.free_dof:self.free_dof + 3]
                velocity += np.array(newton_secs) / model.body_mass[self.object]
            data.ctrl[:] = control
            mujoco.mj_step(model, data, self.substeps)
            if not np.isfinite(data.qpos).all() or abs(data.qvel).max() > 1e6:
                trace["diverged"] = True
                break
            if ask["record_joints"]:
                trace["joints_rad"].append(data.qpos[self.qpos].tolist())
            if self.object is None:
                continue
            speed = np.linalg.norm(data.qvel[self.free_dof:self.free_dof + 3])
            trace["object"].append([*data.qpos[self.free:self.free + 7].tolist(), float(speed)])
            trace["contacts"].append(self.touching())
            if math.dist(trace["object"][-1][:3], ask["start"]["object_m"]) > ask["stop_m"]:
                break
        return trace

    def is_dropped(self, home, drop_m):
        """Whether the object is farther than that from where it began, or nowhere."""
        away = self.data.qpos[self.free:self.free + 3] - home
        return not away @ away < drop_m ** 2

    def hold(self, ask):
        """In how many episodes the object was dropped."""
        model, data, dropped = self.model, self.data, 0
        for start, targets in zip(ask["starts"], ask["targets_rad"]):
            self.begin(start)
            home = np.array(start["object_m"])
            for control in np.array(targets) @ self.mix.T:
                data.ctrl[:] = control
                mujoco.mj_step(model, data, self.substeps)
                if self.is_dropped(home, ask["drop_m"]):
                    dropped += 1
                    break
        return {"dropped": dropped}

    def bench(self, ask):
        """Bare `mj_step` for so many seconds; only the time inside it counts. The clock is that of the processor, which
        stands still while others run, or that on the wall."""
        model, data = self.model, self.data
        clock = time.process_time if ask["clock"] == "processor" else time.perf_counter
        controls, starts = np.array(ask["targets_rad"]) @ self.mix.T, ask["starts"]
        steps, secs, drops, episode, begin = 0, 0.0, 0, ask["first"], clock()
        while clock() - begin < ask["secs"]:
            start = starts[episode % len(starts)]
            episode += 1
            self.begin(start)
            home = np.array(start["object_m"])
            for _ in range(ask["episode_steps"]):
                data.ctrl[:] = controls[steps % len(controls)]
                before = clock()
                mujoco.mj_step(model, data, self.substeps)
                secs += clock() - before
                steps += 1
                if self.is_dropped(home, ask["drop_m"]):
                    drops += 1
                    break
                if clock() - begin > ask["secs"]:
                    break
        return {"control_steps": steps, "secs": secs, "drops": drops}


def answer(ask, state):
    kind = ask["do"]
    if kind == "hello":
        known = [name for name, value in INTEGRATORS.items() if value is not None]
        return {"mujoco": mujoco.__version__, "python": platform.python_version(), "integrators": known}
    if kind == "load":
        state["world"] = World(ask)
        return state["world"].options()
    world = state["world"]
    if kind == "overlap":
        return [world.overlap(start) for start in ask["starts"]]
    return {"rollout": world.rollout, "hold": world.hold, "bench": world.bench}[kind](ask)


def main():
    # The program that asks ends this one by closing its standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # By default MuJoCo writes a file into the working folder.
    mujoco.set_mju_user_warning(lambda text: None)
    state = {}
    for line in sys.stdin:
        try:
            reply = {"ok": answer(json.loads(line), state)}
        except Exception as problem:  # told to the one who asked
            reply = {"error": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
