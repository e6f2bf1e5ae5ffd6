#!/usr/bin/env python3
"""Measures what the tables of README and docs say, and writes the tables.

    cargo build --release
    python3 docs/measure.py --list                    # the parts, what each runs, how long it takes
    python3 docs/measure.py quickstart shipped        # some of them; `all` for all
    python3 docs/measure.py --render                  # the tables once more from what was measured
    python3 docs/measure.py --check                   # are they what was measured, at a commit that led here?
    python3 docs/measure.py card leap-right/rotate-z  # measures a shipped policy, and writes the numbers on its card
    python3 docs/measure.py curve leap-right/rotate-z # learns the first steps of its recipe again, where they have changed
    python3 docs/measure.py ship RUN HAND/NAME        # makes a run the policy of that name: files, curve, card, recipe

Two are measured by hand, for they take long: `giraffe compare-engines --out docs/engines` writes docs/engines/report.md, with its commit
and machine, and docs/randomization/README.md has the twelve runs of its own. `--check` looks at their commits, too.

Each part runs the program as a user does and leaves docs/numbers/PART.json: commit, machine, commands, and what the commands printed
as JSON. A table stands in a document between `<!-- numbers: PART.TABLE -->` and `<!-- end of numbers -->`, and is written from
that file alone, with commit and machine below it. Nothing but Python's own library is needed; parts abroad need the packages of
bridge/examples/python/requirements.txt.
"""

import argparse
import datetime
import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import shipped

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = ROOT / "docs" / "numbers"
BLOCK = re.compile(r"<!-- numbers: (\w+)\.(\w+) -->\n(.*?)<!-- end of numbers -->", re.DOTALL)
SHIPPED = "leap-right/rotate-z"


class Failed(Exception):
    """What a person is told."""


class Measurement:
    """Runs commands, and remembers which."""

    def __init__(self, program, python):
        self.program, self.python, self.commands = program, python, []

    def giraffe(self, *words):
        """The JSON object that a command prints; whatever it says beside it is shown."""
        self.commands.append(" ".join(["giraffe", *words]))
        print(f"  {self.commands[-1]}", file=sys.stderr)
        done = subprocess.run([self.program, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"`{self.commands[-1]}` ended with {done.returncode}, expected 0")
        return json.loads(done.stdout)

    def abroad(self, hand_options, *words):
        """A deployment to the hand in MuJoCo."""
        shown = "python bridge/examples/python/mujoco_hand.py " + " ".join(hand_options)
        self.commands.append(shown)
        endpoint = f"tcp://127.0.0.1:{free_ports()}"
        script = ROOT / "bridge" / "examples" / "python" / "mujoco_hand.py"
        hand = subprocess.Popen(
            [self.python, script, "--lockstep", "--bind", endpoint, *hand_options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            if not hand.stdout.readline().startswith("listening"):
                raise Failed(f"`{shown}` does not listen; does {self.python} have the packages of its requirements.txt?")
            return self.giraffe("deploy", *words, "--connect", endpoint, "--no-log", "--json")
        finally:
            hand.terminate()
            hand.wait()


def free_ports():
    """The first of four ports in a row that are free now."""
    import socket

    for first in range(20_000, 60_000, 7):
        sockets = [socket.socket() for _ in range(4)]
        try:
            for offset, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise Failed("there are no four free ports in a row on this machine")


# What is measured.


def measure_quickstart(run):
    with tempfile.TemporaryDirectory() as folder:
        found = run.giraffe("quickstart", "--seed", "1", "--out", f"{folder}/quickstart-1", "--json")
    # Where it was is gone, and was of this machine.
    return {**found, "run_dir": "runs/quickstart-1"}


def measure_shipped(run):
    evaluate = ("evaluate", SHIPPED, "--json")
    nominal = ("--set", "randomization.preset=none")
    found = {
        "evaluated": run.giraffe(*evaluate)["none"],
        "evaluated_nominal": run.giraffe(*evaluate, *nominal)["none"],
    }
    with tempfile.TemporaryDirectory() as folder:
        served = serve(run, folder)
        try:
            deployed = ("deploy", SHIPPED, "--paired", "--episodes", "100", "--connect", served[1], "--no-log", "--json")
            found["deployed"] = run.giraffe(*deployed)
        finally:
            served[0].terminate()
            served[0].wait()
    abroad = (SHIPPED, "--episodes", "40")
    found["mujoco_nominal"] = run.abroad(["--nominal"], *abroad)
    found["mujoco_hidden"] = run.abroad(["--seed", "3", "--redraw"], *abroad)
    return found


def serve(run, folder):
    """giraffe's own simulated hand, and where it listens."""
    endpoint = f"tcp://127.0.0.1:{free_ports()}"
    words = ["serve", "--driver", "sim", "--bind", endpoint, "--config", f"recipes/{SHIPPED}/config.toml"]
    run.commands.append("giraffe serve --driver sim --config " + words[-1])
    served = subprocess.Popen([run.program, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if not served.stdout.readline().startswith("listening"):
        raise Failed(f"the controller on {endpoint} ended before it listened")
    return served, endpoint


def measure_perturbed(run):
    found = run.giraffe("evaluate", SHIPPED, "--scenario", "all", "--json")
    found["memory wiped before every step"] = run.giraffe("evaluate", SHIPPED, "--memoryless", "--json")["none"]
    return found


PRESETS = ["none", "wide", "full", "dactyl", "dextreme", "playground"]


def measure_presets(run):
    preset = lambda name: ("--set", f"randomization.preset={name}")  # noqa: E731
    return {name: run.giraffe("evaluate", SHIPPED, *preset(name), "--json")["none"] for name in PRESETS}


def measure_finer(run):
    steps = {"2 x 2 x 6": (2, 2, 6), "10 x 2 x 6": (10, 2, 6), "2 x 20 x 6": (2, 20, 6)}
    found = {}
    for name, (count, parts, sweeps) in steps.items():
        settings = {"substep_count": count, "solver_iteration_count": parts, "inner_iteration_count": sweeps}
        words = [word for key, value in settings.items() for word in ("--set", f"physics.{key}={value}")]
        found[name] = run.giraffe("evaluate", SHIPPED, *words, "--json")["none"]
    return found


def measure_physics(run):
    speed = ("bench", "physics", "--python", run.python, "--json")
    return run.giraffe(*speed, "--repeats", "15", "--secs", "0.4", "--skip-robots", "--skip-scaling")


def measure_bridge(run):
    return run.giraffe("bench", "bridge", "--secs", "20", "--json")


def measure_learner(run):
    speed = ("bench", "learner", "--python", run.python, "--json")
    return run.giraffe(*speed, "--repeats", "3", "--secs", "0.5", "--widths", "128,256")


# What is written of it.


def estimate(value, factor=1.0, digits=3, unit=""):
    """A value with its interval."""
    if value is None:
        return ""
    shown = f"{value['value'] * factor:.{digits}f}{unit}"
    if value.get("ci95") is None:
        return f"{shown} [one]"
    low, high = (bound * factor for bound in value["ci95"])
    return f"{shown} [{low:.{digits}f}, {high:.{digits}f}]"


def score_row(name, score):
    measures = score["measures"]
    rate = estimate(measures["rotation_rate_rad_per_sec"])
    kept = estimate(measures["no_drop_fraction"], 100.0, 1, " %")
    return f"| {name} | {rate} | {kept} | {score['episodes']} |"


def score_table(title, rows):
    head = [f"| {title} | rotation rate, rad/s | episodes without a drop | episodes |", "| --- | --- | --- | --- |"]
    return head + [score_row(name, score) for name, score in rows]


def rows_at_home(found):
    """Evaluated, randomized and nominal, and deployed to giraffe's own simulated hand."""
    paired = found["deployed"]["paired"]
    equal = f"deployed over ZeroMQ, {paired['equal']} of {paired['episodes']} equal to the bit to the same in one process"
    return [
        ("evaluated in unseen randomized worlds", found["evaluated"]),
        ("evaluated with nominal physics", found["evaluated_nominal"]),
        (equal, found["deployed"]["score"]),
    ]


def quickstart_table(found):
    minutes, steps = found["train_seconds"] / 60, found["control_steps"] / 1e6
    title = f"`giraffe quickstart`, seed 1: {steps:.1f} M steps in {minutes:.0f} minutes"
    return score_table(title, rows_at_home(found))


def shipped_table(found):
    rows = [
        *rows_at_home(found),
        ("**abroad: MuJoCo behind ZeroMQ, nominal**", found["mujoco_nominal"]["score"]),
        ("**abroad: MuJoCo behind ZeroMQ, hidden parameters**", found["mujoco_hidden"]["score"]),
    ]
    return score_table("the shipped policy", rows)


def scores(title):
    return lambda found: score_table(title, found.items())


def spread(row, digits=0):
    return f"{row['median']:,.{digits}f} [{row['min']:,.{digits}f}, {row['max']:,.{digits}f}]"


def physics_table(found):
    head = ["control steps/s", "ours over it", "joints, mrad", "slip, degrees", "object in a grip, mm", "its forces, N"]
    lines = [f"| | {' | '.join(head)} | dropped of 16 |", "| --- " * (len(head) + 2) + "|"]

    def row(name, rate, ratio, exact):
        numbers = [1e3 * exact["joint_rms_rad"], exact["slip_rms_degrees"], 1e3 * exact["grip_object_m"]]
        cells = [f"{number:.2f}" for number in [*numbers, exact["grip_force_newton"]]]
        lines.append(f"| {name} | {rate} | {ratio} | {' | '.join(cells)} | {exact['dropped']} |")

    row("giraffe, whole environment step", spread(found["control_steps_per_sec"]), "", found["exactness"])
    for other in sorted(found["opponents"], key=lambda other: other["ratio"]["median"]):
        own = other["integrator"]
        name = other["label"] if f", {own}," in other["label"] else f"{other['label']}, {own}"
        claims = other["no_less_exact_in"]
        of = "everything" if "everything" in claims else " and ".join(claims)
        ratio = f"{spread(other['ratio'], 2)}, no less exact in {of}"
        row(name, spread(other["control_steps_per_sec"]), ratio, other["exactness"])
    return lines


def bridge_table(found):
    loops = {row["policy_hz"]: row for row in found["loops"]}
    slow = found["slow_observer"]
    rows = [
        ("state received to command sent", found["state_to_command"]),
        ("of that the neural network", found["policy"]),
        *((f"jitter of the policy's loop at {hz} Hz", loop["policy"]) for hz, loop in sorted(loops.items())),
        ("jitter of the controller's loop at 120 Hz", slow["controller_without"]),
        ("the same with a reader connected that never reads", slow["controller_with"]),
    ]
    lines = ["| µs | p50 | p99 | p99.9 | largest |", "| --- | --- | --- | --- | --- |"]
    keys = ["p50_us", "p99_us", "p999_us", "max_us"]
    return lines + [f"| {name} | {' | '.join(f'{row[key]:.0f}' for key in keys)} |" for name, row in rows]


def learner_table(found):
    head = ["LSTM", "steps", "sequences", "giraffe", "PyTorch, with masks", "ratio", "PyTorch, `nn.LSTM`", "ratio", "of peak"]
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for row in found["shapes"]:
        cells = [f"{row[key]}" for key in ("core_width", "horizon_steps", "sequences")]
        cells += [f"{row['samples_per_sec']:,.0f}", f"{row['pytorch_cell_samples_per_sec']:,.0f}"]
        cells += [spread(row["ratio_masked_spread"], 2), f"{row['pytorch_lstm_samples_per_sec']:,.0f}"]
        cells += [spread(row["ratio_spread"], 2), f"{100 * row['peak_share']:.0f} %"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def collecting_table(found):
    lines = ["| LSTM | worlds | giraffe | PyTorch | ratio |", "| --- | --- | --- | --- | --- |"]
    for row in found["collecting"]:
        rates = f"{row['steps_per_sec']:,.0f} | {row['pytorch_steps_per_sec']:,.0f}"
        lines.append(f"| {row['core_width']} | {row['worlds']:,} | {rates} | {spread(row['ratio_spread'], 2)} |")
    return lines


# name: (what it takes, how it is measured, its tables)
PARTS = {
    "quickstart": ("10 min", measure_quickstart, {"table": quickstart_table}),
    "shipped": ("3 min, MuJoCo", measure_shipped, {"table": shipped_table}),
    "perturbed": ("3 min", measure_perturbed, {"table": scores("what happens")}),
    "presets": ("2 min", measure_presets, {"table": scores("ranges (`giraffe list presets`)")}),
    "finer": ("4 min", measure_finer, {"table": scores("physics steps x parts x sweeps")}),
    "physics": ("more than 20 min, MuJoCo, nothing else running", measure_physics, {"table": physics_table}),
    "bridge": ("3 min, nothing else running", measure_bridge, {"table": bridge_table}),
    "learner": (
        "20 min, PyTorch, nothing else running",
        measure_learner,
        {"update": learner_table, "collecting": collecting_table},
    ),
}


def git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def machine():
    """The processor, how many of them, the system."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        found = re.search(r"model name\s*:\s*(.*)", information.read_text())
        model = re.sub(r"\((R|TM)\)", "", found[1]) if found else model
    import os

    return {"processor": " ".join(model.split()), "cores": os.cpu_count(), "system": platform.system()}


def commit_here():
    """The commit that is measured: nothing but words, and what is said of policies, may have changed since."""
    commit = git("rev-parse", "--short=7", "HEAD")
    changed = git("status", "--porcelain", "--", ".", ":!docs", ":!*.md", ":!recipes/*/*/card.toml", ":!recipes/*/*/curve.csv")
    if commit is None or changed is None:
        raise Failed("a measurement names its commit, and this is no git clone")
    if changed:
        raise Failed(f"a measurement names its commit, but these files are not as committed:\n{changed}")
    return commit


def tidy(commands, python):
    """Commands as a person types them."""
    commands = [command.replace(python, "python3").replace("--no-log ", "") for command in commands]
    return [re.sub(r"(--connect|--out) \S+ ?", "", command).strip() for command in commands]


def measure(name, program, python):
    commit = commit_here()
    run = Measurement(program, python)
    print(f"{name}:", file=sys.stderr)
    results = PARTS[name][1](run)
    commands = tidy(run.commands, python)
    today = datetime.date.today().isoformat()
    found = {"part": name, "commit": commit, "date": today, "machine": machine(), "commands": commands, "results": results}
    NUMBERS.mkdir(exist_ok=True)
    (NUMBERS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


def rendered(name, table):
    path = NUMBERS / f"{name}.json"
    if name not in PARTS or table not in PARTS[name][2]:
        raise Failed(f"there is no table {name}.{table}; the parts are {', '.join(PARTS)}")
    if not path.exists():
        raise Failed(f"{path.relative_to(ROOT)} is not there: run `python3 docs/measure.py {name}`")
    found = json.loads(path.read_text())
    here = found["machine"]
    where = f"{here['cores']} cores of {here['processor']}"
    below = f"Commit `{found['commit']}`, {found['date']}, {where}: `python3 docs/measure.py {name}`."
    return "\n".join([*PARTS[name][2][table](found["results"]), "", below]) + "\n"


def documents():
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def with_tables(text):
    return BLOCK.sub(
        lambda block: f"<!-- numbers: {block[1]}.{block[2]} -->\n{rendered(block[1], block[2])}<!-- end of numbers -->", text
    )


def render():
    for path in documents():
        text = path.read_text()
        new = with_tables(text)
        if new != text:
            path.write_text(new)
            print(f"wrote the tables of {path.relative_to(ROOT)}", file=sys.stderr)


# Documents with tables of measurements that are written by hand, too, or by another command.
MEASURED = ["README.md", "docs/bridge/README.md", "docs/engines", "docs/learner", "docs/randomization/README.md", "docs/results", "docs/tasks.md",
            "docs/policies.md"]


def led_here(commit):
    return git("merge-base", "--is-ancestor", commit, "HEAD") is not None


def unnamed(path):
    """Tables with measured numbers that do not say of which commit, and commits that did not lead here."""
    name, text = path.relative_to(ROOT), BLOCK.sub("", path.read_text())
    commits = lambda part: set(re.findall(r"`([0-9a-f]{7})`", part))  # noqa: E731
    strangers = sorted(commit for commit in commits(text) if not led_here(commit))
    wrong = [f"{name}: names commit {commit}, which is none that led here" for commit in strangers]
    begins, *sections = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    above = commits(begins)
    for title, part in zip(sections[::2], sections[1::2]):
        # The first heading speaks for the page.
        above = above or commits(part)
        has_numbers = re.search(r"^\|.*\d\.\d.*\|$", part, flags=re.MULTILINE)
        if has_numbers and not (commits(part) or above):
            wrong.append(f"{name}: a table below `{title}` does not say of which commit its numbers are")
    return wrong


def check():
    """What is wrong with the tables, in words."""
    wrong, shown = [], set()
    for path in documents():
        if any(str(path.relative_to(ROOT)).startswith(folder) for folder in MEASURED):
            wrong += unnamed(path)
    for path in documents():
        text, name = path.read_text(), path.relative_to(ROOT)
        shown |= {block[1] for block in BLOCK.finditer(text)}
        if text.count("<!-- numbers:") != len(BLOCK.findall(text)):
            wrong.append(f"{name}: a table of numbers has no end, or a name that is none")
        if with_tables(text) != text:
            wrong.append(f"{name}: a table is not what was measured; run `python3 docs/measure.py --render`")
    wrong += shipped.wrong_cards(led_here)
    for path in sorted(NUMBERS.glob("*.json")):
        found = json.loads(path.read_text())
        if not led_here(found["commit"]):
            wrong.append(f"{path.relative_to(ROOT)}: measured at {found['commit']}, which is no commit that led here")
        if path.stem not in shown:
            wrong.append(f"{path.relative_to(ROOT)}: no document shows it")
    return wrong


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}, or all")
    parser.add_argument("--program", default=str(ROOT / "target" / "release" / "giraffe"), help="[target/release/giraffe]")
    parser.add_argument("--python", default=sys.executable, help="a Python that has MuJoCo [the one that runs this]")
    parser.add_argument("--episodes", type=int, help="of `card`, in every place [200 at home, 40 in MuJoCo]; the card is shown, "
                        "not written: a try is no measurement")
    for flag, words in [("list", "say what the parts are"), ("render", "write the tables"), ("check", "check the tables")]:
        parser.add_argument(f"--{flag}", action="store_true", help=words)
    return parser.parse_args()


def of_policy(wanted):
    """`card`, `curve` and `ship`: what is done with one shipped policy."""
    verb, *words = wanted.parts
    if len(words) < 2 if verb == "ship" else len(words) != 1:
        runs = "one run or, of several stages, each, and then " if verb == "ship" else ""
        raise Failed(f"`{verb}` takes {runs}the name of a policy, such as {SHIPPED}")
    name, run = words[-1], Measurement(wanted.program, wanted.python)
    if verb == "ship":
        if not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", name):
            raise Failed(f"{name}: expected HAND/NAME, in small letters")
        here = machine()
        written = shipped.ship([Path(word) for word in words[:-1]], name, f"{here['cores']} cores of {here['processor']}")
        print("wrote " + ", ".join(written) + f"; what is missing on the card is yours to say; then `card {name}`")
        return
    if not (shipped.RECIPES / name / "card.toml").exists():
        raise Failed(f"there is no card recipes/{name}/card.toml; `giraffe list policies` names those there are")
    if verb == "curve":
        shipped.learn_curve(run, name, commit_here())
        return
    is_try = wanted.episodes is not None
    commit = git("rev-parse", "--short=7", "HEAD") if is_try else commit_here()
    card = shipped.fill_card(run, name, commit, wanted.episodes, lambda said: tidy(said, wanted.python), save=not is_try)
    if is_try:
        print(json.dumps(card["measured"], indent=1))


def main():
    wanted = arguments()
    if wanted.list:
        for name, (takes, measured, _) in PARTS.items():
            print(f"{name:<12} {takes}")
        return 0
    if wanted.parts[:1] and wanted.parts[0] in ("card", "curve", "ship"):
        try:
            of_policy(wanted)
            return 0
        except (Failed, OSError) as failed:
            print(f"error: {failed}", file=sys.stderr)
            return 2
    parts = list(PARTS) if wanted.parts == ["all"] else wanted.parts
    unknown = [name for name in parts if name not in PARTS]
    try:
        if unknown:
            raise Failed(f"there is no part {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
        for name in parts:
            measure(name, wanted.program, wanted.python)
        if wanted.check:
            wrong = check()
            print("\n".join(wrong) or "all tables are what was measured, at commits that led here")
            return 1 if wrong else 0
        if parts or wanted.render:
            render()
            return 0
    except Failed as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the parts that were finished are kept", file=sys.stderr)
        return 130
    print("error: no part was named; --list says what there is", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
