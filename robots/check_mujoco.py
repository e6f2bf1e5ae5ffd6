#!/usr/bin/env python3
"""Loads every hand into MuJoCo and compares forward kinematics, couplings and mass with giraffe's.

    pip install mujoco
    cargo run --release -q -p giraffe-robots --example test_vector | python3 robots/check_mujoco.py

Without input on stdin it only loads the files. Exit status 1 when a fingertip differs by more than 10 micrometres, a
coupling is another one, or the mass of a body differs by more than 1 mg.
"""

import pathlib
import sys

import mujoco

TOLERANCE_M = 1e-5
TOLERANCE_KG = 1e-6


def load_all():
    models = {}
    for path in sorted(pathlib.Path(__file__).parent.glob("descriptions/*/hand.xml")):
        model = mujoco.MjModel.from_xml_path(str(path))
        models[path.parent.name] = model
        print(f"{path.parent.name}: nq {model.nq}, nu {model.nu}, bodies {model.nbody}, geoms {model.ngeom}")
    return models


def couplings_of(model):
    """Follower, leader, ratio and offset of every joint equality."""
    found = set()
    for index in range(model.neq):
        follower, leader = (model.joint(number[index]).name for number in (model.eq_obj1id, model.eq_obj2id))
        offset, ratio, *higher = model.eq_data[index][:5]
        assert not any(higher), f"{follower} follows {leader} by no straight line"
        found.add((follower, leader, round(ratio, 6), round(offset, 6)))
    return found


class Hand:
    """One of giraffe's hands, beside MuJoCo's model of the same file."""

    def __init__(self, name, model):
        self.name, self.model, self.data = name, model, mujoco.MjData(model)
        # Joints that giraffe has locked stand where they rest.
        self.data.qpos[:] = model.key("home").qpos
        self.couplings, self.worst_m, self.masses_kg = set(), 0.0, {}

    def read(self, kind, words):
        if kind == "joint":
            self.data.qpos[self.model.joint(words[0]).qposadr[0]] = float(words[1])
        elif kind == "coupling":
            self.couplings.add((words[0], words[1], round(float(words[2]), 6), round(float(words[3]), 6)))
        elif kind == "body":
            self.masses_kg[words[0]] = float(words[1])
        elif kind == "fingertip":
            mujoco.mj_kinematics(self.model, self.data)
            body, numbers = self.data.body(words[1]), [float(word) for word in words[2:]]
            theirs = body.xpos + body.xmat.reshape(3, 3) @ numbers[:3]
            difference = max(abs(theirs - numbers[3:]))
            self.worst_m = max(self.worst_m, difference)
            print(f"{self.name} {words[0]}: MuJoCo {theirs.round(6)}, differs by {difference:.1e} m")

    def problems(self):
        if self.worst_m > TOLERANCE_M:
            yield f"{self.name}: forward kinematics differ by {self.worst_m:.1e} m"
        if self.couplings != couplings_of(self.model):
            yield f"{self.name}: couplings {self.couplings} and {couplings_of(self.model)}"
        for body, mass_kg in self.masses_kg.items():
            theirs_kg = self.model.body(body).mass[0]
            if abs(mass_kg - theirs_kg) > TOLERANCE_KG:
                yield f"{self.name}: {body} has {mass_kg} and {theirs_kg} kg"


def compare(models, lines):
    """Reads what giraffe printed; returns what differs."""
    hands = {}
    for line in lines:
        name, kind, *words = line.split()
        if kind == "folder":
            hands[name] = Hand(name, models[words[0]])
        else:
            hands[name].read(kind, words)
    if not hands:
        return ["nothing to compare"]
    return [problem for hand in hands.values() for problem in hand.problems()]


if __name__ == "__main__":
    loaded = load_all()
    if not sys.stdin.isatty() and (differences := compare(loaded, sys.stdin)):
        sys.exit("\n".join(differences))
