#!/usr/bin/env python3
"""Measures everything that docs/benchmarks.md shows, row by row, and writes that page.

    sh benchmarks/peers/setup.sh                                   # PyTorch and its company, once
    cmake --preset release -DBASIS_BENCHMARKS=ON && cmake --build --preset release
    python3 benchmarks/run.py [--quick] [--only PATTERN] [--list | --dry-run]

Each row's result is a file in --out, written when the row ends: after Ctrl-C the same command goes on with what is
missing. A row that cannot run here (no bf16, no PyTorch) says why. --quick takes about five minutes and few steps: its
numbers show that all works, not how fast it is. Close everything else: a busy core halves both sides, not evenly.
"""

import argparse
import datetime
import fnmatch
import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import report  # noqa: E402
from rows import CannotRun, Machine, all_rows  # noqa: E402

QUICK_SHARE = 0.12  # of a row's seconds


def arguments():
    cache = Path(os.environ.get("BASIS_CACHE", Path.home() / ".cache/basis"))
    data = os.environ.get("BASIS_DATA") or HERE.parent.parent / "shared/data"
    peers = Path(os.environ.get("BASIS_PEERS", cache / "peers"))
    parser = argparse.ArgumentParser(description="All benchmarks, and docs/benchmarks.md")
    parser.add_argument("--basis", default=HERE.parent / "build/release/bin/basis")
    parser.add_argument("--data", default=data, help="folder with glue/, weights/, vocab/, corpora/")
    parser.add_argument("--python", default=peers / "bin/python", help="what setup.sh made")
    parser.add_argument("--out", default=cache / "benchmarks", help="results; outside the repository")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="about five minutes")
    parser.add_argument("--only", default="*", help="rows whose name contains this (* and ? as in a shell)")
    parser.add_argument("--again", action="store_true", help="measure rows that have a result once more")
    parser.add_argument("--list", action="store_true", help="names, states and estimates, and do nothing")
    parser.add_argument("--dry-run", action="store_true", help="what would run, and how long, and do nothing")
    parser.add_argument("--page", default=HERE.parent / "docs/benchmarks.md")
    parser.add_argument("--no-page", action="store_true", help="do not write the page")
    return parser.parse_args()


def path_of(options, row):
    return Path(options.out) / "rows" / (row.name.replace("/", "--") + ".json")


def stored(options, row):
    """The row's result, or None; a quick one does not count for a full run."""
    try:
        made = json.loads(path_of(options, row).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return made if options.quick or not made.get("is_quick") else None


def write(path, made):
    """Whole or not at all: a file that is there is a finished row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def estimate(options, row):
    return row.seconds * QUICK_SHARE if options.quick else row.seconds


def run_row(options, machine, row, say):
    start = time.time()
    made = {"row": row.name, "is_quick": options.quick, "threads": options.threads,
            "date": datetime.date.today().isoformat()}
    try:
        made |= {"status": "measured", "result": row.run(machine, say)}
    except CannotRun as reason:
        made |= {"status": "cannot run", "why": str(reason)}
        say(f"cannot run: {reason}")
    write(path_of(options, row), made | {"seconds": round(time.time() - start, 1)})


def run_all(options, rows):
    machine = Machine(options)
    left = sum(estimate(options, row) for row in rows)
    for number, row in enumerate(rows):
        head = f"[{number + 1}/{len(rows)}] {row.name}"
        print(f"{head}: about {clock(estimate(options, row))}, {clock(left)} left in all", flush=True)
        run_row(options, machine, row, lambda line: print(f"    {line}", flush=True))
        left -= estimate(options, row)


def main():
    options = arguments()
    pattern = options.only if any(c in options.only for c in "*?") else f"*{options.only}*"
    rows = [row for row in all_rows()
            if fnmatch.fnmatch(row.name, pattern) and (row.is_quick or not options.quick)]
    if not rows:
        raise SystemExit(f"run.py: no row fits --only {options.only}")
    todo = [row for row in rows if options.again or (stored(options, row) or {}).get("status") != "measured"]
    if options.list:
        for row in rows:
            print(f"{(stored(options, row) or {}).get('status', 'to do'):<12} {clock(estimate(options, row)):>6}  {row.name}")
    if options.list or options.dry_run:
        print(f"{len(todo)} of {len(rows)} rows to measure, about {clock(sum(estimate(options, r) for r in todo))} "
              f"minutes; results in {options.out}")
        if options.dry_run:
            print("\n".join(f"    {row.name}" for row in todo))
        return 0
    status = 0
    try:
        run_all(options, todo)
    except KeyboardInterrupt:
        print("\nrun.py: stopped; the same command goes on with what is missing", file=sys.stderr)
        status = 130
    if not options.no_page:
        results = {row.name: made for row in all_rows() if (made := stored(options, row))}
        report.write_page(Path(options.page), results, options)
        print(f"{options.page}: written")
    return status


if __name__ == "__main__":
    sys.exit(main())
