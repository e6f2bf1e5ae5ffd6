#!/usr/bin/env python3
"""Adopts every hand of a list, trains a little with it, and writes the table of docs/hands.md.

    python3 docs/hands/measure.py --program target/release/giraffe --list hands/list.tsv --root hands

The list is a table with tabs and a first row of names: id, maker, hand, path (below --root), repository, commit,
path_in_repository. Other columns are left alone. What is measured of one hand is kept in a file of its own in --work, so
that a measurement that was stopped goes on where it was. Nothing but Python's own library is needed.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

BEGIN, END = "<!-- what docs/hands/measure.py writes begins here -->", "<!-- and ends here -->"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="giraffe", help="the program to measure with")
    parser.add_argument("--list", required=True, type=Path, help="the list of hands")
    parser.add_argument("--root", type=Path, help="the folder that paths in the list start from [the list's own]")
    parser.add_argument("--only", default="", help="ids, with commas between; all without it")
    parser.add_argument("--work", default=Path("runs/hands"), type=Path, help="folder for hands, runs and results")
    parser.add_argument("--document", default=Path("docs/hands.md"), type=Path, help="where the table goes")
    parser.add_argument("--episodes", default=100, type=int, help="episodes at rest, before and after each")
    parser.add_argument("--train-steps", default=40_000, type=int, help="control steps of training; 0 for none")
    parser.add_argument("--timeout-secs", default=3600, type=int, help="longest time of one command")
    return parser.parse_args()


def run(program, *words, timeout):
    """What a command says: exit code, its JSON if it printed one, and the last line of standard error."""
    try:
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return None, None, f"no end within {timeout} s"
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        answer = None
    return done.returncode, answer, errors[-1] if errors else ""


def trained(options, folder, hand, result):
    """Trains a little; in words how that went."""
    run_folder = folder / "run"
    shutil.rmtree(run_folder, ignore_errors=True)
    words = ["train", "--robot", hand, "--object", result["adopted"]["object"], "--out", run_folder]
    code, report, error = run(
        options.program, *words, "--steps", options.train_steps, "--json", timeout=options.timeout_secs
    )
    shutil.rmtree(run_folder, ignore_errors=True)
    return {"code": code, "error": error, "steps": (report or {}).get("control_steps"), "report": report}


def measured(options, row):
    """Everything about one hand, from its file or anew."""
    folder = options.work / row["id"]
    kept = folder / "result.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    hand = folder / "hand"
    shutil.rmtree(hand, ignore_errors=True)
    source = (options.root or options.list.parent) / row["path"]
    words = ["adopt", source, "--out", hand, "--hold", options.episodes, "--json"]
    code, adopted, error = run(options.program, *words, timeout=options.timeout_secs)
    result = {"row": row, "code": code, "error": error, "adopted": adopted}
    if adopted and options.train_steps:
        result["trained"] = trained(options, folder, hand, result)
    kept.write_text(json.dumps(result, indent=1))
    return result


def share(hold):
    return f"{hold['held']} of {hold['episodes']}"


def line(result):
    row, adopted = result["row"], result["adopted"]
    file = Path(row["path_in_repository"]).name
    link = f"https://github.com/{row['repository']}/blob/{row['commit']}/{row['path_in_repository']}"
    hand = f"| {row['maker']} | [{row['hand']}, `{file}`]({link.replace(' ', '%20')}) at `{row['commit'][:7]}` "
    if not adopted:
        why = (result["error"] or f"exit code {result['code']}").removeprefix("error: ").replace("|", "/")
        return hand + f"| not read: {why} | | | | |"
    taken = f"{adopted['liberties']} liberties"
    stance = adopted["stance"]
    if adopted["turned_rpy_rad"]:
        taken += f"; turned palm up from {stance['tilt_degrees']:.0f} degrees" if stance else "; turned palm up"
    if adopted["lowered_m"]:
        taken += f"; palm frame {1e3 * adopted['lowered_m']:.0f} mm lower"
    if adopted["warnings"]:
        count = len(adopted["warnings"])
        taken += f"; {count} warning" + ("s" if count > 1 else "")
    cells = [taken, adopted["object"], share(adopted["before"]), share(adopted["after"]), training(result)]
    return hand + "".join(f"| {cell} " for cell in cells) + "|"


def training(result):
    if "trained" not in result:
        return "not tried"
    done = result["trained"]
    if done["code"] != 0:
        # What to do about it, and the folders of this machine, come after the first part of a message.
        said = done["error"].removeprefix("error: ").replace("|", "/").split(";")[0]
        return f"stopped in words: {said}" if said else f"exit code {done['code']}"
    outcomes = done["report"]["score"]["outcomes"]
    lost = sum(outcomes.get(name, 0) for name in ("diverged", "unreadable"))
    return f"{done['steps']:,} steps" + (f", {lost} episodes lost" if lost else "")


def table(results):
    heads = ["maker", "hand", "taken how", "object", "kept at rest, before", "after", "trained without failure"]
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    results = sorted(results, key=lambda result: (result["row"]["maker"].lower(), result["row"]["id"]))
    adopted = [result["adopted"] for result in results if result["adopted"]]
    ready = sum(one["after"]["held"] >= 0.8 * one["after"]["episodes"] for one in adopted)
    makers = len({result["row"]["maker"] for result in results if result["adopted"]})
    words = (
        f"{len(results)} files, of which {len(adopted)} of {makers} makers are read; {ready} of these keep their object in "
        "at least 80 % of the episodes after `giraffe adopt`.\n"
    )
    return "\n".join([words, *lines, *map(line, results)])


def write(document, text):
    """Puts the table between its marks."""
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def main():
    options = arguments()
    if BEGIN not in options.document.read_text():
        sys.exit(f"{options.document} has no line `{BEGIN}`")
    with options.list.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    wanted = [word for word in options.only.split(",") if word]
    unknown = set(wanted) - {row["id"] for row in rows}
    if unknown:
        sys.exit(f"{options.list} has no {', '.join(sorted(unknown))}")
    results = []
    for row in rows:
        # The table has every row; those that nobody asked for are as they were measured before.
        if wanted and row["id"] not in wanted:
            kept = options.work / row["id"] / "result.json"
            if kept.is_file():
                results.append(json.loads(kept.read_text()))
            continue
        results.append(measured(options, row))
        print(line(results[-1]), flush=True)
    write(options.document, table(results))


if __name__ == "__main__":
    main()
