#!/usr/bin/env python3
"""The GPU's targets beside what was measured, from the files that scripts/gpu_check.sh wrote.

    python3 benchmarks/gpu.py RESULTS [--peak TFLOP/S]

RESULTS has benchmarks.jsonl and kernels.json of part a and peers.jsonl of part b; what is missing is "not run". A ratio
is ours over PyTorch's best variant of the same batches, all of one machine: the script refuses files of two GPUs.
--peak (default 989, an H100's or H200's dense bf16) is what utilisation is a share of.
"""

import argparse
import json
import sys
from pathlib import Path

MEMORY_BOUND = ("residual_layer_norm", "layer_norm", "dropout", "activation", "adamw/", "add_scaled", "column_sum", "fill")


def lines_of(path):
    try:
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.strip()]
    except FileNotFoundError:
        return []


class Results:
    def __init__(self, folder):
        folder = Path(folder)
        ours = lines_of(folder / "benchmarks.jsonl")
        self.ours = {line["name"]: line["result"] for line in ours if "result" in line}
        self.plain = sorted({line["plain"] for line in ours if line.get("plain")})
        self.start_up = next((line["seconds"] for line in ours if "seconds" in line), None)
        self.peers = [line for line in lines_of(folder / "peers.jsonl") if line.get("status") == "measured"]
        try:
            kernels = json.loads((folder / "kernels.json").read_text(encoding="utf-8"))
            self.kernels = kernels["benchmarks"]
        except (FileNotFoundError, ValueError):
            self.kernels = []
        gpus = {line["gpu"] for line in self.peers if "gpu" in line}
        gpus |= {result["processor"].split(",")[0] for result in self.ours.values() if result.get("processor")}
        if len(gpus) > 1:
            raise SystemExit(f"gpu.py: results of {' and '.join(sorted(gpus))}: compare those of one GPU")
        self.gpu = next(iter(gpus), "no GPU")

    def rate(self, name):
        result = self.ours.get(name)
        return result["window_tokens_per_s"] if result else None

    def best(self, workload, method="full", modes=("eager", "compiled", "graphs")):
        """PyTorch's fastest variant: its rate, its memory and its name."""
        fit = [p for p in self.peers if p["name"].startswith(workload + "-") and p["name"].endswith("-" + method)
               and p["name"].split("-")[1] in modes]
        return max(fit, key=lambda p: p["tokens_per_s"], default=None)


def ratio(results, name, workload, **which):
    ours, peer = results.rate(name), results.best(workload, **which)
    if ours is None or peer is None:
        return None, "ours" if ours is None else "PyTorch"
    return ours / peer["tokens_per_s"], f"{ours:,.0f} and {peer['tokens_per_s']:,.0f} tokens/s ({peer['name']})"


def utilisation(results, peak):
    result = results.ours.get("base_128_full_length")
    if result is None:
        return None, None, "ours"
    rate = result["gflop"] / result["step_s"] / 1000
    roof = result["roof_bf16_gflops"] / 1000
    return rate / peak, rate / roof if roof else None, f"{rate:.0f} TFLOP/s; the machine's products {roof:.0f}"


def memory(results):
    ours, peer = results.ours.get("base_128_random"), results.best("base_128_random")
    if ours is None or peer is None or not peer.get("peak_mib"):
        return None, "ours" if ours is None else "PyTorch"
    return ours["peak_mib"] / peer["peak_mib"], f"{ours['peak_mib']:,.0f} and {peer['peak_mib']:,.0f} MiB"


def slowest_kernel(results):
    far = [k for k in results.kernels if ("/far" in k["name"] or "22.7M" in k["name"]) and "GB/s" in k
           and k["name"].startswith(MEMORY_BOUND)]
    if not far:
        return None, "kernels"
    worst = min(far, key=lambda k: k["of_roof"])
    return worst["of_roof"], f"{worst['name']}, of {len(far)}"


def rows_of(results, peak):
    used, of_roof, what = utilisation(results, peak)
    own_core, own_full = results.rate("base_32_core"), results.rate("base_32")
    own = own_core / own_full if own_core and own_full else None
    yield "BERT-base full, bf16, 128 sequences, random order", "≥ 1.5", *ratio(results, "base_128_random", "base_128_random")
    yield "the same, grouped, against compiled", "≥ 1.2", *ratio(results, "base_128_grouped", "base_128_grouped")
    yield "at 32 sequences, against dynamic shapes", "≥ 2", *ratio(results, "base_32", "base_32", modes=("eager", "compiled"))
    yield "at 32 sequences, against reduce-overhead", "≥ 1.4", *ratio(results, "base_32", "base_32", modes=("graphs",))
    yield f"FLOP utilisation at 128 x 128, of {peak:.0f} TFLOP/s", "≥ 0.42", used, what
    yield "the same, of the measured product rate", "≥ 0.53", of_roof, what
    yield "spectral core step against own full step", "≥ 1.25", own, "" if own else "ours"
    yield "spectral core step against PEFT's LoRA", "≥ 1.6", *ratio(results, "base_32_core", "base_32", method="lora")
    yield "our memory against max_memory_allocated", "≤ 0.5", *memory(results)
    yield "slowest memory-bound kernel, of the copy bandwidth", "≥ 0.8", *slowest_kernel(results)
    yield "process start to the end of the first step, s", "≤ 2", results.start_up, "" if results.start_up else "ours"


def verdict(target, value):
    limit = float(target.split()[1])
    return value >= limit if target.startswith("≥") else value <= limit


def page(results, peak):
    text = [f"{results.gpu}." + (f" With plain twins of {', '.join(results.plain)}." if results.plain else ""), "",
            "| what | target | measured | |", "|---|---|---|---|"]
    for what, target, value, note in rows_of(results, peak):
        if value is None:
            text.append(f"| {what} | {target} | not run: no result of {note} | |")
        else:
            text.append(f"| {what} | {target} | {value:.2f}{'' if verdict(target, value) else ', **missed**'} | {note} |")
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser(description="The GPU's targets beside what was measured")
    parser.add_argument("results", help="the folder that gpu_check.sh wrote")
    parser.add_argument("--peak", type=float, default=989)
    options = parser.parse_args()
    if not Path(options.results).is_dir():
        raise SystemExit(f"gpu.py: {options.results} is no folder; scripts/gpu_check.sh makes one (docs/gpu.md)")
    print(page(Results(options.results), options.peak))
    return 0


if __name__ == "__main__":
    sys.exit(main())
