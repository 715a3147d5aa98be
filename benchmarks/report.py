"""docs/benchmarks.md from the rows' results: tables with the targets beside what was measured."""

import datetime
import platform
import re
import subprocess
from pathlib import Path

from rows import COMPARED, row_name

NOTES = ("<!-- notes: what stands between these two lines is kept -->", "<!-- end of notes -->")
NAMES = {"minilm": "MiniLM", "base": "BERT-base"}

# what, dtype: targets of A and B, moonshot of A. With AMX those of full training are other ones.
SPEED = {
    ("minilm", "mrpc", "full", False): {"f32": (2.4, 1.6, 2.8), "bf16": (2.2, 1.6, 2.7)},
    ("base", "mrpc", "full", False): {"f32": (1.9, 1.4, 2.1), "bf16": (1.8, 1.4, 2.0)},
    ("minilm", "sst-2", "full", False): {"f32": (3.2, 1.5, 4.0), "bf16": (3.0, 1.5, 4.0)},
    ("minilm", "mrpc", "lora", False): {"f32": (2.5, 1.7, 3.0), "bf16": (2.8, 1.7, 3.6)},
    ("base", "mrpc", "lora", False): {"f32": (2.0, 1.5, 2.4), "bf16": (2.1, 1.5, 2.4)},
    ("minilm", "mrpc", "full", True): {"f32": (1.9, 1.4, 2.6), "bf16": (2.2, 1.4, 2.6)},
}
SPEED_AMX = {"f32": (2.0, None, None), "bf16": (3.0, None, 5.0)}
PEAK = {("minilm", "full"): {"f32": 0.28, "bf16": 0.28}, ("base", "full"): {"f32": 0.42, "bf16": 0.47},
        ("minilm", "lora"): {"f32": 0.25, "bf16": 0.25}, ("base", "lora"): {"f32": 0.25, "bf16": 0.25}}
OVER_FLOOR = {"base": 1.35, "minilm": 1.5}


def what(key):
    size, task, method, is_evaluation = key
    kind = "evaluation" if is_evaluation else {"full": "full", "lora": "LoRA"}[method]
    return f"{NAMES[size]}{' SST-2' if task == 'sst-2' else ''} {kind}"


def has_amx():
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def against(value, target, at_most=False, form="{:.2f}"):
    """"1.95 (≥ 1.9)", and by how much a target is missed."""
    if target is None:
        return form.format(value)
    bound = f"{'≤' if at_most else '≥'} {target:g}"
    is_met = value <= target if at_most else value >= target
    miss = "" if is_met else f", missed by {abs(value / target - 1):.0%}"
    return f"{'**' if is_met else ''}{form.format(value)}{'**' if is_met else ''} ({bound}{miss})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


class Page:
    """Results by row; a row without one gives its reason."""

    def __init__(self, results):
        self.results = results

    def get(self, name):
        made = self.results.get(name)
        return made["result"] if made and made["status"] == "measured" else None

    def why(self, name):
        made = self.results.get(name)
        return "not measured" if made is None else made.get("why", "not measured").split("\n")[0][:120]

    def compared(self):
        """(key, dtype, {comparator: result}) of every pair that has a result."""
        for key in COMPARED:
            for dtype in ("f32", "bf16"):
                yield key, dtype, {c: self.get(row_name(c, *key, dtype)) for c in "AB"}


def speed(page):
    rows = []
    for key, dtype, made in page.compared():
        target_a, target_b, moonshot = SPEED[key][dtype]
        if has_amx() and key[2:] == ("full", False):
            target_a, target_b, moonshot = SPEED_AMX[dtype]
        cells = []
        for comparator, target in (("A", target_a), ("B", target_b)):
            one = made[comparator]
            why = page.why(row_name(comparator, *key, dtype)) + (f" (≥ {target:g})" if target else "")
            cells.append(against(one["ratio"], target) if one else why)
        first = made["A"] or made["B"]
        rates = ["", ""]
        if first:
            rates = [f"{first['ours']['tokens_per_s']:,.0f}",
                     f"{first['peers'][first['best']]['tokens_per_s']:,.0f} ({first['best']})"]
        spread = " to ".join(f"{f(made['A']['ratios']):.2f}" for f in (min, max)) if made["A"] else ""
        rows.append([f"{what(key)} {dtype}", *cells, moonshot or "", spread, *rates])
    return table(["real tokens/s, Basis by PyTorch", "A", "B", "moonshot A", "A over rounds", "Basis", "PyTorch"], rows)


def floors(page):
    rows = []
    for key, dtype, made in page.compared():
        one = made["A"]
        if not one or "step_over_floor" not in one["ours"]:
            continue
        ours, roofs = one["ours"], one["roofs"]
        rows.append([f"{what(key)} {dtype}", f"{ours['step_s']:.3f}", f"{ours['floor_s']:.3f}",
                     against(ours["step_over_floor"], OVER_FLOOR[key[0]], at_most=True), f"{ours['gflop']:,.0f}",
                     f"{roofs['roof_f32_gflops']:,.0f} / {roofs['roof_bf16_gflops']:,.0f}",
                     f"{roofs['roof_copy_gbs']:.0f}"])
    return table(["", "step, s", "floor, s", "step over floor", "GFLOP a step", "roofs f32 / bf16, GFLOP/s", "copy, GB/s"],
                 rows)


def peaks(page):
    rows, reference = [], {}
    for key, dtype, made in page.compared():
        one = made["A"]
        if not one or key[1] != "mrpc":
            continue
        theirs = one["peers"][one["best"]]["peak_mib"]
        reference[(key[0], key[2], key[3], dtype)] = theirs
        target = None if key[3] else PEAK.get((key[0], key[2]), {}).get(dtype)
        rows.append([f"{what(key)} {dtype}", f"{one['ours']['peak_mib']:,.0f}", f"{theirs:,.0f}",
                     against(one["peak_ratio"], target, at_most=True)])
    more = page.get("memory") or {}
    for name, (peer, target) in {"minilm core f32": (("minilm", "lora", False, "f32"), 0.25),
                                 "minilm bitfit f32": (("minilm", "lora", False, "f32"), 0.25),
                                 "base full f32, recompute": (("base", "full", False, "f32"), 0.35)}.items():
        if name in more and peer in reference:
            ours = more[name]["peak_mib"]
            rows.append([name.replace("minilm", "MiniLM").replace("base", "BERT-base"), f"{ours:,.0f}",
                         f"{reference[peer]:,.0f}{' (PEFT LoRA)' if peer[1] == 'lora' else ''}",
                         against(ours / reference[peer], target, at_most=True)])
    return table(["peak of the process (VmHWM)", "Basis, MiB", "PyTorch, MiB", "ratio"], rows)


def faults(page):
    rows = []
    for key, dtype, made in page.compared():
        one = made["A"]
        if one:
            theirs, ours = one["peers"][one["best"]], one["ours"]
            rows.append([f"{what(key)} {dtype}", *(f"{side[k]:,.{n}f}" for side in (ours, theirs)
                                                    for k, n in (("minflt_per_step", 0), ("system_s", 2)))])
    return table(["comparator A", "Basis: page faults a step", "system time, s", "PyTorch: page faults a step",
                  "system time, s"], rows)


def spectral(page):
    targets = {"core 0.2 %": 1.3, "diagonal 64": 1.3, "diagonal full rank": 1.0}
    rows = []
    for dtype in ("f32", "bf16"):
        made = page.get(f"spectral/{dtype}")
        for name, one in (made or {}).items():
            if name != "full":
                rows.append([f"{name}, {dtype}", f"{one['trained']:,}", against(one["ratio"], targets[name]),
                             f"{one['bound_flops']:.2f}", f"{one['bound']:.2f}"])
        if made is None:
            rows.append([f"spectral/{dtype}", "", page.why(f"spectral/{dtype}"), "", ""])
    return table(["MiniLM, MRPC, against our own full step", "trained", "tokens/s", "bound by FLOPs", "bound by floors"],
                 rows)


def beside(page):
    rows = []
    for key, dtype, made in page.compared():
        for name, one in ((made["A"] or {}).get("beside") or {}).items():
            ours = made["A"]["ours"]["tokens_per_s"]
            rows.append([f"{what(key)} {dtype}", name, f"{one['tokens_per_s']:,.0f}", f"{ours:,.0f}",
                         f"{ours / one['tokens_per_s']:.2f}"])
        for name, reason in ((made["A"] or {}).get("failures") or {}).items():
            # What went wrong, without the command: that has paths of one machine.
            rows.append([f"{what(key)} {dtype}", name, reason.split("\n")[-1].split(": status ")[-1][:100], "", ""])
    for method, name in (("spectral-core", "LoRA-XS, k = 35, by hand"), ("spectral-diagonal", "SVFT by hand")):
        one = page.get(f"by-hand/{method}/f32")
        if one:
            theirs, ours = one["peers"][one["best"]]["tokens_per_s"], one["ours"]["tokens_per_s"]
            rows.append([f"MiniLM {method} f32", name, f"{theirs:,.0f}", f"{ours:,.0f}", f"{one['ratio']:.2f}"])
    return table(["", "beside", "tokens/s", "Basis", "Basis by it"], rows)


def around(page):
    rows = []
    one = page.get("startup")
    rows.append(["process start to the end of a first step on 8 sentences, MiniLM",
                 against(one["Basis"], 0.3, at_most=True, form="{:.2f} s") if one else page.why("startup"),
                 f"PyTorch {one['PyTorch']:.1f} s" if one and "PyTorch" in one else ""])
    words = page.get("tokenizer")
    for threads, result in (words or {}).items():
        for case in ("uncased", "cased"):
            speeds = result[case]["mb_per_s"]
            rows.append([f"WordPiece, {case}, Wikipedia, {threads} thread{'s' if threads != '1' else ''}, by Hugging Face's",
                         against(result[case]["ratio"], 8 if threads == "1" else None, form="{:.1f}"),
                         f"{speeds['ours']:.0f} MB/s (moonshot 16 times)"])
    if words is None:
        rows.append(["WordPiece by Hugging Face's", page.why("tokenizer"), ""])
    for dtype in ("f32", "bf16"):
        one = page.get(f"threads/{dtype}")
        rows.append([f"two threads over one, {dtype}, by what the roofs gain",
                     against(one["of_roofs"], 0.95) if one else page.why(f"threads/{dtype}"),
                     f"{one['gain']:.2f} of {one['roofs_gain']:.2f}" if one else ""])
        one = page.get(f"linear/{dtype}")
        rows.append([f"step against its tokens, a + b T, {dtype}: largest deviation",
                     against(100 * one["worst"], 5, at_most=True, form="{:.1f} %") if one else page.why(f"linear/{dtype}"),
                     f"a = {1e3 * one['a_s']:.0f} ms, b = {one['b_us']:.0f} µs, {one['points'][0][0]:,.0f} to "
                     f"{one['points'][-1][0]:,.0f} tokens" if one else ""])
    return table(["", "measured", ""], rows)


def kernels(page):
    one = page.get("kernels")
    if one is None:
        return f"Not measured: {page.why('kernels')}\n"
    rows = []
    for kernel in one["kernels"]:
        unit = "GFLOP/s" if "GFLOP/s" in kernel else "GB/s"
        share = kernel["of_roof"]
        is_bound = unit == "GB/s" and ("/far/" in kernel["name"] or "22.7M" in kernel["name"])
        rows.append([kernel["name"], f"{kernel['us']:,.0f}", f"{kernel[unit]:,.1f} {unit}",
                     against(100 * share, 75, form="{:.0f} %") if is_bound else f"{share:.0%}"])
    context = ", ".join(f"{k} {float(v):,.0f}" if re.fullmatch(r"[\d.]+", v) else f"{k} {v}"
                        for k, v in one["context"].items())
    return f"{context}.\n\n" + table(["kernel", "µs", "rate", "of its roof"], rows)


def work(page):
    one = page.get("work")
    if one is None:
        return f"Not measured: {page.why('work')}\n"
    return table(["", "ms"], [[k["name"], f"{k['us'] / 1e3:,.1f}"] for k in one["kernels"]])


def about(page, options):
    first = next((r for _, _, made in page.compared() for r in (made["A"], made["B"]) if r), None)
    dates = sorted({made["date"] for made in page.results.values()})
    try:
        commit = subprocess.run(["git", "-C", Path(__file__).parent, "describe", "--always", "--dirty", "--exclude=*"],
                                capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "?"
    processor = first["processor"] if first else platform.machine()
    versions = ", ".join(f"{k} {v}" for k, v in ((first or {}).get("versions") or {}).items())
    quick = [name for name, made in page.results.items() if made.get("is_quick")]
    lines = [f"- Processor: {processor}, {options.threads} threads"
             + (f", kernels {first['isa']}" if first and "isa" in first else "") + (", AMX" if has_amx() else ""),
             f"- Date: {' to '.join(sorted({dates[0], dates[-1]})) if dates else datetime.date.today().isoformat()}; "
             f"commit {commit}", f"- Versions: {versions or 'PyTorch was not measured'}; Python {platform.python_version()}"]
    if quick:
        lines.append(f"- {len(quick)} rows are of a quick run: they show that all works, not how fast it is")
    return "\n".join(lines)


def write_page(path, results, options):
    page = Page(results)
    kept = f"{NOTES[0]}\n{NOTES[1]}"
    if path.exists():
        old = path.read_text(encoding="utf-8")
        if all(mark in old for mark in NOTES):
            kept = old[old.index(NOTES[0]):old.index(NOTES[1]) + len(NOTES[1])]
    text = f"""# Benchmarks

    sh benchmarks/peers/setup.sh                                   # PyTorch and its company
    cmake --preset release -DBASIS_BENCHMARKS=ON && cmake --build --preset release
    python3 benchmarks/run.py                                      # an hour on two cores; --quick: five minutes

measures all of this and writes this page. One step on your own machine: `basis bench step --size minilm --dtype bf16`.

{about(page, options)}

{kept}

## Against PyTorch

A: random order, padded to the longest. B: the same length-grouped batches on both sides. Batch 32, at most 128 tokens,
pooler head, dropout 0.1 on both sides, LoRA of rank 5 on query and value. Real tokens are those that are not padding; a
rate is the median over steps, then over rounds, in which the sides take turns. PyTorch has fused AdamW, huge pages,
raised thresholds of its allocator or another allocator, and the fastest of its attentions, eager or compiled, autocast
or pure bf16, found by trial (compiling was tried on MiniLM and MRPC alone). BERT-base has random weights.

{speed(page)}
## A step over its floor

Executed FLOPs by the roof of their dtype, and compulsory bytes by the rate of a copy with non-temporal stores, both
measured in the same process. FLOPs that are skipped are not counted.

{floors(page)}
## Memory

{peaks(page)}
## Page faults and system time

{faults(page)}
## Spectral forms

{spectral(page)}
## Beside

Not gated: what nobody is handed ready-made, and runtimes that only evaluate.

{beside(page)}
## Around the step

{around(page)}
## Kernels

`benchmarks/kernel_benchmark`. "far": 25 MiB an operand, beyond the cache; there the target is 75 % of a non-temporal copy.

{kernels(page)}
## Bases, tokens, loading

`benchmarks/work_benchmark`.

{work(page)}"""
    path.write_text(text, encoding="utf-8")
