"""Whether bf16 trains as f32 does: two runs of experiments/configs/bf16.toml, compared.

    python3 benchmarks/bf16_acceptance.py runs/f32 runs/bf16

Prints, as a Markdown table, the dev scores of whole fine-tuning by dtype with the difference of their means in standard
errors (wanted: at most 2), and the largest relative difference of the training losses, smoothed over 20 steps, for the
mean over the seeds and for each method (wanted: at most 2 %; for the merged weight after 200 steps at most 1 %).
Ends with status 1 where one is missed.
"""

import csv
import json
import statistics
import sys
from pathlib import Path

SMOOTHED_STEPS = 20
MERGED = "spectral-diagonal"


def rows_of(run):
    with open(run / "results.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["stage"].startswith("finetune-")]


def scores_of(run, method, metric):
    return {row["seed"]: 100 * float(row[metric]) for row in rows_of(run) if row["method"] == method}


def losses_of(run, method, seeds):
    """Losses of each step, mean over the seeds, smoothed."""
    runs = []
    for row in rows_of(run):
        if row["method"] != method or row["seed"] not in seeds:
            continue
        lines = map(json.loads, open(run / "stages" / row["stage"] / "metrics.jsonl"))
        runs.append([line["loss"] for line in lines if "loss" in line])
    mean = [statistics.fmean(step) for step in zip(*runs)]
    return [statistics.fmean(mean[max(0, i - SMOOTHED_STEPS + 1):i + 1]) for i in range(len(mean))]


def largest_difference(f32, bf16, first=SMOOTHED_STEPS - 1):
    pairs = list(zip(f32, bf16))[first:]
    return max(abs(b - a) / a for a, b in pairs)


def main():
    f32, bf16 = Path(sys.argv[1]), Path(sys.argv[2])
    is_good = True
    print("| MRPC dev, full | f32 | bf16 | difference of means, standard errors |\n|---|---|---|---|")
    for metric in ("accuracy", "f1"):
        sides = [list(scores_of(run, "full", metric).values()) for run in (f32, bf16)]
        means = [statistics.fmean(side) for side in sides]
        errors = [statistics.variance(side) / len(side) for side in sides]
        apart = abs(means[1] - means[0]) / sum(errors) ** 0.5
        is_good &= apart <= 2
        cells = [f"{mean:.2f} ± {error ** 0.5:.2f}" for mean, error in zip(means, errors)]
        print(f"| {metric} ({len(sides[0])} and {len(sides[1])} seeds) | {cells[0]} | {cells[1]} | {apart:.2f} |")
    print("\n| training loss, smoothed over 20 steps | largest relative difference | after 200 steps |\n|---|---|---|")
    for method in ("full", MERGED):
        seeds = scores_of(f32, method, "f1").keys() & scores_of(bf16, method, "f1").keys()
        a, b = losses_of(f32, method, seeds), losses_of(bf16, method, seeds)
        largest, at_200 = largest_difference(a, b), abs(b[199] - a[199]) / a[199]
        is_good &= largest <= 0.02 and (method != MERGED or at_200 <= 0.01)
        print(f"| {method}, {len(seeds)} seed{'s' if len(seeds) != 1 else ''} | {100 * largest:.2f} % | {100 * at_200:.2f} % |")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
