#!/usr/bin/env python3
"""Loads every hand into MuJoCo and compares its forward kinematics with giraffe's.

    pip install mujoco
    cargo run --release -q -p giraffe-robots --example test_vector | python3 robots/check_mujoco.py

Without input on stdin it only loads the files. Exit status 1 when a fingertip differs by more than 10 micrometres.
"""

import pathlib
import sys

import mujoco

TOLERANCE_M = 1e-5


def load_all():
    models = {}
    for path in sorted(pathlib.Path(__file__).parent.glob("descriptions/*/hand.xml")):
        model = mujoco.MjModel.from_xml_path(str(path))
        models[path.parent.name] = model
        print(f"{path.parent.name}: nq {model.nq}, nu {model.nu}, bodies {model.nbody}, geoms {model.ngeom}")
    return models


def compare(models, lines):
    """Checks each printed fingertip; returns the largest difference in m."""
    poses = {name: mujoco.MjData(model) for name, model in models.items()}
    worst = 0.0
    for line in lines:
        robot, kind, name, *rest = line.split()
        model, data = models[robot], poses[robot]
        if kind == "joint":
            data.qpos[model.joint(name).qposadr[0]] = float(rest[0])
            continue
        mujoco.mj_kinematics(model, data)
        body, numbers = data.body(rest[0]), [float(word) for word in rest[1:]]
        point, ours = numbers[:3], numbers[3:]
        theirs = body.xpos + body.xmat.reshape(3, 3) @ point
        difference = max(abs(theirs - ours))
        worst = max(worst, difference)
        print(f"{robot} {name}: MuJoCo {theirs.round(6)}, differs by {difference:.1e} m")
    return worst


if __name__ == "__main__":
    loaded = load_all()
    if not sys.stdin.isatty() and compare(loaded, sys.stdin) > TOLERANCE_M:
        sys.exit("forward kinematics differ")
