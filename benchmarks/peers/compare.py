"""Runs PyTorch and Basis alternately on the same batches and prints medians and ratios as a Markdown table.

  python compare.py --model DIR --glue DIR [--task mrpc] [--basis PROGRAM] [--python PYTHON] [--method full]
                    [--dtype f32] [--batch 32] [--max-length 128] [--steps 40] [--threads N] [--order random|grouped]
                    [--eval] [--rounds 3] [--variants NAME,...] [--json FILE]

Both sides read one batches file. The variants of PyTorch (--variants, see VARIANTS) take turns in every round; the
table shows each, and the ratio is against the best of them. --basis none measures PyTorch alone.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
GLIBC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32), "MALLOC_TOP_PAD_": str(1 << 26)}
HUGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}
# name: options of pytorch_step.py, environment
VARIANTS = {
    "as-installed": ([], {}),
    "sdpa": (["--attention", "sdpa"], GLIBC | HUGE_PAGES),
    "eager": (["--attention", "eager"], GLIBC | HUGE_PAGES),
    "compiled": (["--compile"], GLIBC | HUGE_PAGES),
    "jemalloc": ([], HUGE_PAGES | {"LD_PRELOAD": "libjemalloc.so.2"}),
    "tcmalloc": ([], HUGE_PAGES | {"LD_PRELOAD": "libtcmalloc_minimal.so.4"}),
}


def arguments():
    parser = argparse.ArgumentParser(description="PyTorch and Basis alternately on the same batches")
    parser.add_argument("--model", required=True)
    parser.add_argument("--glue", required=True)
    parser.add_argument("--task", default="mrpc")
    parser.add_argument("--basis", default="basis", help="our program; none: PyTorch alone")
    parser.add_argument("--python", default=sys.executable, help="the Python of setup.sh")
    parser.add_argument("--method", default="full",
                        help="full, lora, head on both sides; any other of ours is measured against full")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--head", choices=["pooler", "mean"], default="pooler", help="PyTorch's head")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--order", choices=["random", "grouped"], default="random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--eval", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variants", default="sdpa,eager")
    parser.add_argument("--pure-bf16", action="store_true", help="with --dtype bf16: PyTorch's weights in bf16 too")
    parser.add_argument("--json", help="all results, one JSON line a run")
    return parser.parse_args()


def last_json_line(command, environment):
    """Runs a program and reads the JSON object on its last line."""
    done = subprocess.run(command, env=os.environ | environment, text=True, capture_output=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with status {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(lines[-1])


def make_batches(options, path):
    """In a process of its own, so that this one stays small. Evaluation reads dev in its order unless grouped."""
    order = "file" if options.eval and options.order == "random" else options.order
    subprocess.run([options.python, HERE / "batches.py", "--model", options.model, "--glue", options.glue, "--task",
                    options.task, "--out", path, "--split", "dev" if options.eval else "train", "--batch",
                    str(options.batch), "--max-length", str(options.max_length), "--order", order, "--seed",
                    str(options.seed), "--steps", str(options.steps)], check=True)


def commands(options, path):
    """name: (command, environment) of everything that takes a turn."""
    sys.path.insert(0, str(HERE))
    from batches import outputs_of

    peer_method = options.method if options.method in ("full", "lora", "head") else "full"
    dtype = "bf16-pure" if options.pure_bf16 and options.dtype == "bf16" else options.dtype
    common = ["--model", options.model, "--batches", path, "--steps", str(options.steps), "--threads",
              str(options.threads)] + (["--eval"] if options.eval else [])
    made = {}
    for name in options.variants.split(","):
        if name not in VARIANTS:
            raise SystemExit(f"no variant {name!r}; there are {', '.join(VARIANTS)}")
        more, environment = VARIANTS[name]
        made[f"PyTorch, {name}"] = ([options.python, HERE / "pytorch_step.py", *common, "--outputs",
                                     str(outputs_of(options.task)), "--method", peer_method, "--dtype", dtype,
                                     "--head", options.head, *more], environment)
    if options.basis != "none":
        made["Basis"] = ([options.basis, "bench", "step", *common, "--task", options.task, "--method", options.method,
                          "--dtype", options.dtype], {})
    return made


def table(results, options):
    """Medians over rounds; the ratio is Basis by the best PyTorch."""
    rows, medians = [], {}
    for name, runs in results.items():
        def middle(key, runs=runs):
            values = [r[key] for r in runs if r.get(key) is not None]
            return statistics.median(values) if values else float("nan")
        medians[name] = {k: middle(k) for k in ("tokens_per_s", "step_s", "peak_mib", "minflt_per_step", "system_s",
                                                "floor_s")}
        rates = [r["tokens_per_s"] for r in runs]
        m = medians[name]
        rows.append(f"| {name} | {m['tokens_per_s']:,.0f} | {min(rates):,.0f} to {max(rates):,.0f} | "
                    f"{m['step_s']:.3f} | {m['peak_mib']:,.0f} | {m['minflt_per_step']:,.0f} | {m['system_s']:.2f} |")
    about = next(iter(results.values()))[0]
    kind = "evaluation" if options.eval else f"training, {options.method}"
    lines = [f"{Path(options.model).name}, {options.task}, {kind}, {options.dtype}, batch {options.batch}, longest "
             f"{options.max_length}, {options.order} order, {options.threads} threads, {options.rounds} rounds of "
             f"{options.steps} steps; {about.get('processor', platform.processor())}; "
             + ", ".join(f"{k} {v}" for k, v in about.get("versions", {}).items()), "",
             "| | real tokens/s | over rounds | step, s | peak, MiB | page faults a step | system time, s |",
             "|---|---|---|---|---|---|---|", *rows]
    if "Basis" in medians:
        peers = {n: m for n, m in medians.items() if n != "Basis"}
        best = max(peers, key=lambda n: peers[n]["tokens_per_s"])
        ours = medians["Basis"]
        lines += ["", f"Basis against the best ({best}): {ours['tokens_per_s'] / peers[best]['tokens_per_s']:.2f} times "
                      f"its tokens/s, {ours['peak_mib'] / peers[best]['peak_mib']:.2f} of its peak memory."]
        if ours["floor_s"] == ours["floor_s"]:
            lines += [f"Step over its floor: {ours['step_s'] / ours['floor_s']:.2f}."]
    return "\n".join(lines)


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "batches.jsonl")
        make_batches(options, path)
        turns = commands(options, path)
        results = {name: [] for name in turns}
        for number in range(options.rounds):
            for name, (command, environment) in turns.items():
                results[name].append(last_json_line(command, environment))
                print(f"round {number + 1}, {name}: {results[name][-1]['tokens_per_s']:,.0f} tokens/s", file=sys.stderr)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            for name, runs in results.items():
                out.writelines(json.dumps({"name": name} | run) + "\n" for run in runs)
    print(table(results, options))


if __name__ == "__main__":
    main()
