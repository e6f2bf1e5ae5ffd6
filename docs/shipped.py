#!/usr/bin/env python3
"""What lies beside a shipped policy below recipes/, made from its run: for `docs/measure.py ship`, `card` and `curve`.

`ship` copies a run into the repository, `card` measures the policy and fills its card, `curve` learns the first steps of its recipe
again. What only a person knows stays as it is on the card.
"""

import csv
import datetime
import json
import platform
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "recipes"
KEPT = ["policy.bin", "config.toml", "hand.json", "curve.svg"]
# Rows of a curve: every one of the first iterations, which are learned again in a test, then evenly so many.
FIRST_ROWS, MORE_ROWS = 32, 200
# Control steps that `curve` learns, if the recipe has so many.
CURVE_STEPS = 131_072
PLACES = ["home_wide", "home_nominal", "finer", "mujoco_nominal", "mujoco_hidden"]
# In numbers of worlds that nobody trained in, at home and abroad.
HOME_EPISODES, ABROAD_EPISODES = 200, 40


def text_of(value):
    """A value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        one_line = f"[{', '.join(text_of(item) for item in value)}]"
        lines = "".join(f"    {text_of(item)},\n" for item in value)
        return one_line if len(one_line) < 100 else f"[\n{lines}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {text_of(item)}" for key, item in value.items()) + " }"
    return repr(value)


def write_card(path, card):
    """A card in its own order: what it is, its curve, then place by place."""
    lines = [f"{key} = {text_of(value)}" for key, value in card.items() if key not in ("curve", "measured")]
    lines += ["", "[curve]", *(f"{key} = {text_of(value)}" for key, value in card["curve"].items())]
    for place in [place for place in PLACES if place in card["measured"]]:
        row = card["measured"][place]
        lines += ["", f"[measured.{place}]"]
        lines += [f"{key} = {text_of(value)}" for key, value in row.items() if key != "measures"]
        lines += ["", f"[measured.{place}.measures]"]
        lines += [f"{key} = {text_of(value)}" for key, value in row["measures"].items() if value is not None]
    path.write_text("\n".join(lines) + "\n")


def arithmetic():
    """How multiply-adds are computed here: curves are the same bits only where this is the same."""
    information = Path("/proc/cpuinfo")
    flags = set(re.findall(r"\w+", information.read_text())) if information.exists() else set()
    if platform.machine() != "x86_64":
        return f"{platform.machine()}, its own"
    return "x86-64, " + ("AVX-512" if "avx512f" in flags else "AVX2" if {"avx2", "fma"} <= flags else "no FMA")


def is_of_time(column):
    """Columns of metrics that are of the machine, not of learning."""
    return column.endswith("seconds") or column.endswith("s_per_sec")


def write_curve(runs, path):
    """The metrics of the runs of all stages: columns of learning, the first rows of each stage, then evenly thinned."""
    tables = [list(csv.DictReader((run / "metrics.csv").open())) for run in runs]
    columns = [column for column in tables[-1][0] if not is_of_time(column)]
    stage = ["stage"] if len(runs) > 1 else []
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, stage + columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for number, rows in enumerate(tables, start=1):
            every = max(1, -(-(len(rows) - FIRST_ROWS) // MORE_ROWS))
            kept = [row for at, row in enumerate(rows) if at < FIRST_ROWS or at % every == 0 or at == len(rows) - 1]
            writer.writerows({**row, "stage": number} for row in kept)


def stages_of(run):
    """The folders of a recipe's stages: the run itself, if there is one."""
    stages = sorted(run.glob("stage-*"), key=lambda path: int(path.name.removeprefix("stage-")))
    return stages or [run]


def manifest_of(policy):
    """What a policy says about itself."""
    content = policy.read_bytes()
    begins = content.index(b"{")
    length = int.from_bytes(content[begins - 8 : begins], "little")
    return json.loads(content[begins : begins + length])


def settings_lines(header, table):
    """A table of settings, section by section; a range stays on one line."""
    key = lambda word: word if re.fullmatch(r"[\w-]+", word) else json.dumps(word)  # noqa: E731
    is_section = lambda value: isinstance(value, dict) and not header.endswith("ranges")  # noqa: E731
    plain = [f"{key(word)} = {text_of(value)}" for word, value in table.items() if not is_section(value)]
    lines = ["", f"[{header}]", *plain] if plain else []
    for word, value in table.items():
        lines += settings_lines(f"{header}.{key(word)}", value) if is_section(value) else []
    return lines


def write_recipe(path, name, stages, steps):
    """Every setting of the runs, whole: what is as usual may be left out by hand, ranges may not."""
    configs = [tomllib.loads((stage / "config.toml").read_text()) for stage in stages]
    said = ["robot", "object", "task", "seed"]
    lines = [f"# What makes the policy: `giraffe train --recipe {name}`.", ""]
    lines += [f"{key} = {text_of(configs[-1][key])}" for key in said[:3]]
    for config, count in zip(configs, steps):
        lines += ["", "[[stages]]", f"seed = {config['seed']}", f"steps = {count}"]
        lines += [f"task = {text_of(config['task'])}"] if config["task"] != configs[-1]["task"] else []
        # When checkpoints are written decides nothing, nor does the number of threads.
        for section in ("worlds", "ppo"):
            config[section].pop("thread_count", None)
        lines += settings_lines("stages.settings", {k: v for k, v in config.items() if k not in [*said, "checkpoint_secs"]})
    path.write_text("\n".join(lines) + "\n")


def ship(runs, name, machine):
    """Copies runs, one for each stage, into the folder of a shipped policy; what a person wrote on its card is kept."""
    folder, stages = RECIPES / name, [stage for run in runs for stage in stages_of(run)]
    if (stages[0] / "started_from.json").exists():
        began = json.loads((stages[0] / "started_from.json").read_text())[0]["path"]
        raise OSError(f"{stages[0]} begins with the policy of another run ({began}): give that run before it")
    folder.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copyfile(stages[-1] / file, folder / file)
    write_curve(stages, folder / "curve.csv")
    last_rows = [list(csv.DictReader((stage / "metrics.csv").open()))[-1] for stage in stages]
    configs = [tomllib.loads((stage / "config.toml").read_text()) for stage in stages]
    card_path = folder / "card.toml"
    card = tomllib.loads(card_path.read_text()) if card_path.exists() else {}
    steps = [int(row["control_steps"]) for row in last_rows]
    if not (folder / "recipe.toml").exists():
        write_recipe(folder / "recipe.toml", name, stages, steps)
    commit = manifest_of(folder / "policy.bin")["commit"][:7]
    new = {
        "summary": card.get("summary", ""),
        # As it was typed, which need not have been by a recipe.
        "command": card.get("command", ""),
        "commit": commit,
        "seeds": [config["seed"] for config in configs],
        "steps": sum(steps),
        "hours": round(sum(float(row["train_seconds"]) for row in last_rows) / 3600, 2),
        "machine": machine,
        "known_failures": card.get("known_failures", []),
        "curve": {"commit": commit, "arithmetic": arithmetic()},
        # Of another policy: measured anew.
        "measured": {},
    }
    write_card(card_path, new)
    return [f"recipes/{name}/{file}" for file in [*KEPT, "curve.csv", "card.toml", "recipe.toml"]]


def score_of(run, place, name, episodes):
    """What the program says of a policy in one place, and the commands."""
    before = len(run.commands)
    evaluate = ("evaluate", name, "--json", "--set", "randomization.ranges={}", "--episodes", str(episodes or HOME_EPISODES))
    preset = lambda word: ("--set", f"randomization.preset={word}")  # noqa: E731
    finer = {"substep_count": 10, "solver_iteration_count": 2, "inner_iteration_count": 6}
    steps = [word for key, value in finer.items() for word in ("--set", f"physics.{key}={value}")]
    abroad = (name, "--episodes", str(episodes or ABROAD_EPISODES))
    robot = tomllib.loads((RECIPES / name / "recipe.toml").read_text())["robot"]
    hand = ["--hand", f"robots/descriptions/{robot}"]
    score = {
        "home_wide": lambda: run.giraffe(*evaluate, *preset("wide"))["none"],
        "home_nominal": lambda: run.giraffe(*evaluate, *preset("none"))["none"],
        "finer": lambda: run.giraffe(*evaluate, *preset("wide"), *steps)["none"],
        "mujoco_nominal": lambda: run.abroad([*hand, "--nominal"], *abroad)["score"],
        "mujoco_hidden": lambda: run.abroad([*hand, "--seed", "3", "--redraw"], *abroad)["score"],
    }[place]()
    return score, run.commands[before:]


def fill_card(run, name, commit, episodes, tidy, save=True):
    """Measures a shipped policy in all places and writes its card after each."""
    path = RECIPES / name / "card.toml"
    card = {"measured": {}} | tomllib.loads(path.read_text())
    for place in PLACES:
        score, commands = score_of(run, place, name, episodes)
        card["measured"][place] = {
            "commit": commit,
            "date": datetime.date.today().isoformat(),
            "commands": tidy(commands),
            "episodes": score["episodes"],
            "measures": score["measures"],
        }
        if save:
            write_card(path, card)
    return card


def learn_curve(run, name, commit):
    """Learns the first steps of a recipe and keeps what it wrote as the curve of the policy."""
    folder = RECIPES / name
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "run"
        stages = tomllib.loads((folder / "recipe.toml").read_text())["stages"]
        steps = min(CURVE_STEPS, sum(stage["steps"] for stage in stages))
        run.giraffe("train", "--recipe", f"recipes/{name}/recipe.toml", "--steps", str(steps), "--out", str(out), "--json")
        write_curve(stages_of(out), folder / "curve.csv")
    card = tomllib.loads((folder / "card.toml").read_text())
    instead = card["curve"].get("instead", "physics or learning have changed since: these are the first steps of its recipe now")
    card["curve"] = {"commit": commit, "arithmetic": arithmetic(), "instead": instead}
    write_card(folder / "card.toml", {"measured": {}} | card)


def wrong_cards(led_here):
    """Commits on cards that did not lead here, in words."""
    wrong = []
    for path in sorted(RECIPES.glob("*/*/card.toml")):
        card = tomllib.loads(path.read_text())
        named = {"commit": card["commit"], "curve": card["curve"]["commit"]}
        named |= {f"measured.{place}": row["commit"] for place, row in card.get("measured", {}).items()}
        strangers = {where: commit for where, commit in named.items() if not led_here(commit)}
        wrong += [f"{path.relative_to(ROOT)}: {where} is of {commit}, which is no commit that led here" for where, commit in strangers.items()]
        wrong += [f"{path.relative_to(ROOT)}: nothing was measured in {place}" for place in PLACES if place not in card.get("measured", {})]
    return wrong
