"""Runs PyTorch and Basis alternately on the same batches and prints medians and ratios as a Markdown table.

  python compare.py --model DIR --glue DIR [--task mrpc] [--basis PROGRAM] [--python PYTHON] [--method full] [--rank 5]
                    [--dtype f32] [--head pooler] [--batch 32] [--max-length 128] [--steps 13] [--warmup 3] [--threads N]
                    [--order random|grouped] [--eval] [--rounds 3] [--variants auto|NAME,...] [--finalists 1]
                    [--beside NAME,...] [--json FILE]

Both sides read one batches file and have the same head, seeds of order, and threads. `--variants auto` first runs every
setting of PyTorch that fits (see VARIANTS) for a few steps, and the best --finalists of them take turns with Basis in
the rounds; the ratio is against the better. `--beside packed,onnxruntime,openvino` runs once a round what is shown but
not compared. --basis none measures PyTorch alone.
"""

import argparse
import ctypes.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
GLIBC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32), "MALLOC_TOP_PAD_": str(1 << 26)}
HUGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}
TUNED = GLIBC | HUGE_PAGES
# name: options of pytorch_step.py, environment. All have fused AdamW.
VARIANTS = {
    "sdpa": (["--attention", "sdpa"], TUNED),
    "eager": (["--attention", "eager"], TUNED),
    "compiled": (["--compile"], TUNED),
    "pure": (["--attention", "sdpa"], TUNED),  # weights in bf16 too, no autocast
    "pure-eager": (["--attention", "eager"], TUNED),
    "jemalloc": ([], HUGE_PAGES | {"LD_PRELOAD": "libjemalloc.so.2"}),
    "tcmalloc": ([], HUGE_PAGES | {"LD_PRELOAD": "libtcmalloc_minimal.so.4"}),
    "as-installed": ([], {}),
}
LONGEST_S = 900  # a program that takes longer has failed
PEER_METHODS = {"full": "full", "lora": "lora", "head": "head", "spectral-core": "lora-xs", "spectral-diagonal": "svft"}
MEDIANS = ("tokens_per_s", "step_s", "peak_mib", "minflt_per_step", "system_s", "floor_s", "step_over_floor", "gflop")


class Failed(Exception):
    """A program that did not measure; says which and why."""


def add_arguments(parser):
    parser.add_argument("--model", required=True)
    parser.add_argument("--glue", required=True)
    parser.add_argument("--task", default="mrpc")
    parser.add_argument("--basis", default="basis", help="our program; none: PyTorch alone")
    parser.add_argument("--python", default=sys.executable, help="the Python of setup.sh")
    parser.add_argument("--method", default="full",
                        help="full, lora, head on both sides; spectral-core against LoRA-XS, spectral-diagonal against "
                             "SVFT by hand; any other of ours against full")
    parser.add_argument("--rank", type=int, default=5, help="r of LoRA, k of a spectral form; 0: full rank")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--head", choices=["pooler", "mean"], default="pooler", help="of both sides")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=13)
    parser.add_argument("--warmup", type=int, default=3, help="of these steps, not counted")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--order", choices=["random", "grouped"], default="random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--eval", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variants", default="auto")
    parser.add_argument("--no-compile", action="store_true", help="auto leaves torch.compile out: it takes a minute")
    parser.add_argument("--trial-steps", type=int, default=3, help="counted ones of each setting that auto tries")
    parser.add_argument("--finalists", type=int, default=1)
    parser.add_argument("--beside", default="")
    parser.add_argument("--recompute", action="store_true", help="of Basis")
    return parser


def last_json_line(command, environment):
    """Runs a program and reads the JSON object on its last line. OpenMP's settings are each program's own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "KMP_", "MALLOC_"))}
    try:
        done = subprocess.run(list(map(str, command)), env=clean | environment, text=True, capture_output=True,
                              check=False, timeout=LONGEST_S)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{' '.join(map(str, command))}: not done after {LONGEST_S} s") from late
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        errors = [line for line in done.stderr.splitlines() if "cannot be preloaded" not in line]
        raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}: " + "\n".join(errors[-12:]))
    return json.loads(lines[-1])


def make_batches(options, path):
    """In a process of its own, so that this one stays small. Evaluation reads dev in its order unless grouped."""
    order = "file" if options.eval and options.order == "random" else options.order
    command = [options.python, HERE / "batches.py", "--model", options.model, "--glue", options.glue, "--task",
               options.task, "--out", path, "--split", "dev" if options.eval else "train", "--batch", options.batch,
               "--max-length", options.max_length, "--order", order, "--seed", options.seed, "--steps", options.steps]
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"batches.py: {done.stderr[-1500:]}")


def fitting_variants(options):
    """Every setting of PyTorch that this machine, dtype and method can have."""
    names = ["sdpa", "eager"] + ([] if options.no_compile else ["compiled"])
    if options.dtype == "bf16":
        names += ["pure", "pure-eager"]
    names += [name for name, library in (("jemalloc", "jemalloc"), ("tcmalloc", "tcmalloc_minimal"))
              if ctypes.util.find_library(library)]
    return names


def common_arguments(options, path, steps, warmup):
    return ["--model", options.model, "--batches", path, "--steps", steps, "--warmup", warmup, "--threads",
            options.threads]


def outputs_of(options):
    sys.path.insert(0, str(HERE))
    from batches import outputs_of as outputs

    return outputs(options.task)


def peer_command(options, path, name, steps, warmup):
    """(command, environment) of a variant or of something beside."""
    common = common_arguments(options, path, steps, warmup) + ["--outputs", outputs_of(options), "--head", options.head]
    if name in ("onnxruntime", "openvino"):
        return [options.python, HERE / "runtime_step.py", "--runtime", name, *common, "--dtype", options.dtype], TUNED
    more, environment = (["--packed"], TUNED) if name == "packed" else VARIANTS[name]
    dtype = "bf16-pure" if name.startswith("pure") else options.dtype
    return [options.python, HERE / "pytorch_step.py", *common, "--method", PEER_METHODS.get(options.method, "full"),
            "--rank", options.rank, "--dtype", dtype, *(["--eval"] if options.eval else []), *more], environment


def basis_command(options, path, steps, warmup):
    rank = ["--rank", options.rank] if options.method in ("lora",) or options.method.startswith("spectral") else []
    return [options.basis, "bench", "step", *common_arguments(options, path, steps, warmup), "--task", options.task,
            "--method", options.method, *rank, "--dtype", options.dtype, "--head", options.head,
            *(["--eval"] if options.eval else []), *(["--recompute"] if options.recompute else [])], {}


def qualify(options, path, say):
    """The best settings of PyTorch, by a few steps of each: ([name, ...] best first, {name: tokens/s or why not})."""
    if options.variants != "auto":
        names = options.variants.split(",")
        unknown = [n for n in names if n not in VARIANTS]
        if unknown:
            raise Failed(f"no variant {unknown[0]!r}; there are auto, {', '.join(VARIANTS)}")
        return names, {}
    warmup = min(2, options.warmup)
    steps = min(options.steps, warmup + options.trial_steps)
    rates = {}
    for name in fitting_variants(options):
        try:
            rates[name] = last_json_line(*peer_command(options, path, name, steps, warmup))["tokens_per_s"]
            say(f"trial, PyTorch {name}: {rates[name]:,.0f} tokens/s")
        except Failed as failure:
            rates[name] = str(failure)[-300:]
            say(f"trial, PyTorch {name}: failed")
    ran = [name for name, rate in rates.items() if not isinstance(rate, str)]
    if not ran:
        raise Failed(f"no setting of PyTorch ran: {rates}")
    return sorted(ran, key=lambda n: -rates[n])[: options.finalists], rates


def middle(runs):
    """Medians over rounds, with the range of the rate."""
    made = {}
    for key in MEDIANS:
        values = [r[key] for r in runs if r.get(key) is not None]
        if values:
            made[key] = statistics.median(values)
    rates = [r["tokens_per_s"] for r in runs]
    return made | {"slowest": min(rates), "fastest": max(rates)}


def compare(options, say=lambda line: None):
    """All rounds: {"ours", "peers": {name: medians}, "beside", "best", "ratio", "peak_ratio", "ratios": by round, ...}."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "batches.jsonl")
        make_batches(options, path)
        finalists, trial = qualify(options, path, say)
        beside = [name for name in options.beside.split(",") if name]
        turns = {name: peer_command(options, path, name, options.steps, options.warmup) for name in finalists + beside}
        if options.basis != "none":
            turns["Basis"] = basis_command(options, path, options.steps, options.warmup)
        runs, failures = {name: [] for name in turns}, {}
        for number in range(options.rounds):
            order = list(turns) if number % 2 == 0 else list(reversed(turns))
            for name in order:
                if name in failures:
                    continue
                try:
                    runs[name].append(last_json_line(*turns[name]))
                except Failed as failure:
                    if name not in beside:
                        raise
                    failures[name] = str(failure)[-300:]
                    continue
                say(f"round {number + 1}, {name}: {runs[name][-1]['tokens_per_s']:,.0f} tokens/s")
    peers = {name: middle(runs[name]) for name in finalists}
    best = max(peers, key=lambda n: peers[n]["tokens_per_s"])
    about = runs[best][0]
    made = {"peers": peers, "best": best, "trial": trial, "failures": failures,
            "beside": {name: middle(runs[name]) for name in beside if runs[name]},
            "processor": about.get("processor"), "versions": about.get("versions"), "padding": about.get("padding"),
            "peer_trained": about.get("trained"), "losses": {"PyTorch": about.get("loss_first")},
            "settings": {k: v for k, v in vars(options).items() if k not in ("json", "python", "basis")}}
    if options.basis == "none":
        return made
    ours, first = middle(runs["Basis"]), runs["Basis"][0]
    by_round = [a["tokens_per_s"] / b["tokens_per_s"] for a, b in zip(runs["Basis"], runs[best])]
    made["losses"]["Basis"] = (first.get("losses") or [None])[0]
    return made | {"ours": ours, "ratio": ours["tokens_per_s"] / peers[best]["tokens_per_s"], "ratios": by_round,
                   "peak_ratio": ours["peak_mib"] / peers[best]["peak_mib"], "trained": first["trained"],
                   "isa": first["isa"], "dtype": first["dtype"],
                   "roofs": {k: first[k] for k in ("roof_f32_gflops", "roof_bf16_gflops", "roof_copy_gbs")}}


def table(made, options):
    rows = [("PyTorch, " + name, m) for name, m in made["peers"].items()] + list(made["beside"].items())
    if "ours" in made:
        rows.append(("Basis", made["ours"]))
    kind = "evaluation" if options.eval else f"training, {options.method}"
    lines = [f"{Path(options.model).name}, {options.task}, {kind}, {options.dtype}, head {options.head}, batch "
             f"{options.batch}, longest {options.max_length}, {options.order} order, {options.threads} threads, "
             f"{options.rounds} rounds of {options.steps} steps; {made['processor']}; "
             + ", ".join(f"{k} {v}" for k, v in (made["versions"] or {}).items()), "",
             "| | real tokens/s | over rounds | step, s | peak, MiB | page faults a step | system time, s |",
             "|---|---|---|---|---|---|---|"]
    for name, m in rows:
        lines.append(f"| {name} | {m['tokens_per_s']:,.0f} | {m['slowest']:,.0f} to {m['fastest']:,.0f} | "
                     f"{m['step_s']:.3f} | {m['peak_mib']:,.0f} | {m.get('minflt_per_step', float('nan')):,.0f} | "
                     f"{m.get('system_s', float('nan')):.2f} |")
    lines += [f"\n{name} did not run: {why}" for name, why in made["failures"].items()]
    if "ratio" in made:
        lines += ["", f"Basis by PyTorch ({made['best']}): {made['ratio']:.2f} times the tokens a second, "
                      f"{made['peak_ratio']:.2f} of its peak memory."]
        if "step_over_floor" in made["ours"]:
            lines.append(f"Step over its floor: {made['ours']['step_over_floor']:.2f}.")
    return "\n".join(lines)


def main():
    parser = add_arguments(argparse.ArgumentParser(description="PyTorch and Basis alternately on the same batches"))
    parser.add_argument("--json", help="the whole result")
    options = parser.parse_args()
    try:
        made = compare(options, lambda line: print(line, file=sys.stderr, flush=True))
    except Failed as failure:
        raise SystemExit(f"compare.py: {failure}") from failure
    if options.json:
        Path(options.json).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(table(made, options))


if __name__ == "__main__":
    main()
