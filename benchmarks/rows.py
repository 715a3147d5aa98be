"""The rows of docs/benchmarks.md: what each measures, how long it takes on two cores, and how. run.py runs them."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "peers"))
import argparse  # noqa: E402

import compare as peers  # noqa: E402


class CannotRun(Exception):
    """Why a row has no result on this machine."""


class Row:
    """`run(machine, say)` gives a JSON-able result or raises CannotRun. `seconds` on two cores, in full."""

    def __init__(self, name, seconds, run, quick=False, command=""):
        self.name, self.seconds, self.run, self.is_quick, self.command = name, seconds, run, quick, command


class Machine:
    """Where programs and data are, and what this processor can."""

    def __init__(self, options):
        self.basis, self.data, self.python = Path(options.basis), Path(options.data), Path(options.python)
        self.out, self.threads, self.is_quick = Path(options.out), options.threads, options.quick
        self.glue = self.data / "glue"
        self.minilm = self.data / "weights/minilm-l6-h384-uncased"
        self.vocab = self.data / "vocab/bert-base-uncased-vocab.txt"
        self._has_bf16 = None

    def need_peers(self):
        if not self.python.exists():
            raise CannotRun(f"no PyTorch at {self.python} (benchmarks/peers/setup.sh makes it)")

    def need(self, path):
        if not Path(path).exists():
            raise CannotRun(f"{path} is not there")
        return path

    def need_dtype(self, dtype):
        if dtype != "bf16":
            return
        if self._has_bf16 is None:
            line = self.bench("--size", "tiny", "--dtype", "bf16", "--batch", 2, "--steps", 2, "--warmup", 1,
                              "--no-floor")
            self._has_bf16 = line["dtype"] == "bf16"
        if not self._has_bf16:
            raise CannotRun("this processor has no bf16 instructions (`basis info`)")

    def model(self, size):
        """A folder that both sides read; BERT-base's weights are random."""
        if size == "minilm":
            return self.need(self.minilm)
        folder = self.out / "models" / size
        if not (folder / "tokenizer.json").exists():
            self.need_peers()
            subprocess.run([self.python, HERE / "peers/random_model.py", "--size", size, "--vocab",
                            self.need(self.vocab), "--out", folder], check=True, capture_output=True)
        return folder

    def bench(self, *arguments):
        try:
            return peers.last_json_line([self.need(self.basis), "bench", "step", *arguments], {})
        except peers.Failed as failure:
            raise CannotRun(str(failure)) from failure

    def step(self, size, *arguments, steps=None, warmup=None, threads=None):
        steps, warmup = steps or (4 if self.is_quick else 13), warmup or (1 if self.is_quick else 3)
        return self.bench("--model", self.model(size), "--glue", self.need(self.glue), "--threads",
                          threads or self.threads, "--steps", steps, "--warmup", warmup, *arguments)


# ---- Against PyTorch ----------------------------------------------------------------------------------------------

# model, task, method, is_evaluation: seconds of comparator A in f32 and bf16; of B.
COMPARED = {
    ("minilm", "mrpc", "full", False): (300, 240, 110, 80),
    ("minilm", "sst-2", "full", False): (130, 120, 70, 60),
    ("minilm", "mrpc", "lora", False): (130, 120, 90, 70),
    ("minilm", "mrpc", "full", True): (220, 220, 80, 80),
    ("base", "mrpc", "full", False): (290, 160, 170, 100),
    ("base", "mrpc", "lora", False): (210, 120, 120, 80),
}


def row_name(comparator, size, task, method, is_evaluation, dtype):
    return f"compare/{comparator}/{size}/{task}/{'evaluation' if is_evaluation else method}/{dtype}"


def compare_options(machine, size, task, method, is_evaluation, dtype, comparator, more=()):
    steps, warmup = (4, 1) if size == "base" or machine.is_quick else (13, 3)
    words = ["--model", machine.model(size), "--glue", machine.need(machine.glue), "--task", task, "--basis",
             machine.need(machine.basis), "--python", machine.python, "--method", method, "--dtype", dtype, "--steps",
             steps, "--warmup", warmup, "--threads", machine.threads, "--rounds", 1 if machine.is_quick else 3,
             "--order", "random" if comparator == "A" else "grouped", *(["--eval"] if is_evaluation else []), *more]
    if size == "base":
        words += ["--trial-steps", 1]
    if machine.is_quick:
        words += ["--variants", "sdpa", "--batch", 8]
    return peers.add_arguments(argparse.ArgumentParser()).parse_args(list(map(str, words)))


def run_compare(machine, say, size, task, method, is_evaluation, dtype, comparator):
    machine.need_peers()
    machine.need_dtype(dtype)
    more = []
    # Compiling takes a minute a trial: once where models are small, on one task.
    if (size, task, method) != ("minilm", "mrpc", "full"):
        more += ["--no-compile"]
    elif comparator == "A":
        more += ["--beside", "onnxruntime,openvino" if is_evaluation else "packed"]
    options = compare_options(machine, size, task, method, is_evaluation, dtype, comparator, more)
    # B takes the settings that A's trials chose.
    known = machine.out / "trials" / f"{size}-{task}-{method}-{is_evaluation}-{dtype}.json"
    if options.variants == "auto" and known.exists():
        options.variants = ",".join(json.loads(known.read_text(encoding="utf-8")))
    made = compared(options, say)
    if made["trial"]:
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps([made["best"]]), encoding="utf-8")
    return made


def compared(options, say):
    try:
        return peers.compare(options, say)
    except peers.Failed as failure:
        raise CannotRun(str(failure)[-600:]) from failure


def run_by_hand(machine, say, method, rank, dtype):
    """Our spectral forms against the same form written by hand in PyTorch."""
    machine.need_peers()
    machine.need_dtype(dtype)
    more = ["--rank", rank] + ([] if machine.is_quick else ["--variants", "sdpa"])
    return compared(compare_options(machine, "minilm", "mrpc", method, False, dtype, "A", more), say)


# ---- Basis against itself -----------------------------------------------------------------------------------------

SPECTRAL = {"full": [], "core 0.2 %": ["--method", "spectral-core", "--rank", 35],
            "diagonal 64": ["--method", "spectral-diagonal", "--rank", 64],
            "diagonal full rank": ["--method", "spectral-diagonal", "--rank", 0]}


def rounds_of(machine, say, size, commands, steps=None):
    """{name: lines} of commands that take turns."""
    lines = {name: [] for name in commands}
    for number in range(1 if machine.is_quick else 3):
        for name, words in commands.items():
            lines[name].append(machine.step(size, *words, steps=steps))
            say(f"round {number + 1}, {name}: {lines[name][-1]['tokens_per_s']:,.0f} tokens/s")
    return lines


def run_spectral(machine, say, dtype):
    machine.need_dtype(dtype)
    commands = {name: ["--dtype", dtype, *words] for name, words in SPECTRAL.items()}
    lines = rounds_of(machine, say, "minilm", commands)
    made = {name: peers.middle(runs) | {"trained": runs[0]["trained"], "gbyte": runs[0]["gbyte"]}
            for name, runs in lines.items()}
    for one in made.values():
        one["ratio"] = one["tokens_per_s"] / made["full"]["tokens_per_s"]
        one["bound"] = made["full"]["floor_s"] / one["floor_s"]
        one["bound_flops"] = made["full"]["gflop"] / one["gflop"]
    return made


def run_threads(machine, say, dtype):
    machine.need_dtype(dtype)
    if machine.threads < 2:
        raise CannotRun("one thread is all there is")
    runs = {1: [], 2: []}
    for number in range(1 if machine.is_quick else 3):
        for threads, lines in runs.items():
            lines.append(machine.step("minilm", "--dtype", dtype, threads=threads))
            say(f"round {number + 1}, {threads} threads: {lines[-1]['tokens_per_s']:,.0f} tokens/s")
    one, two = (peers.middle(runs[n]) for n in (1, 2))
    gain, roofs = two["tokens_per_s"] / one["tokens_per_s"], one["floor_s"] / two["floor_s"]
    return {"one": one, "two": two, "gain": gain, "roofs_gain": roofs, "of_roofs": gain / roofs}


def run_linear(machine, say, dtype):
    """Drawn tokens of one distribution of lengths: seconds = a + b T by least squares."""
    machine.need_dtype(dtype)
    points = []
    for batch in (19, 38, 75, 151) if machine.is_quick else (19, 38, 75, 151, 302):
        line = machine.bench("--size", "minilm", "--dtype", dtype, "--batch", batch, "--threads", machine.threads,
                             "--steps", 3 if machine.is_quick else 5, "--warmup", 1, "--no-floor")
        points.append((line["tokens"], line["step_s"]))
        say(f"{line['tokens']:,.0f} tokens: {line['step_s']:.3f} s")
    # Relative errors count alike at both ends: weights 1 / seconds².
    weights = [1 / s ** 2 for _, s in points]
    total = sum(weights)
    mean_t = sum(w * t for w, (t, _) in zip(weights, points)) / total
    mean_s = sum(w * s for w, (_, s) in zip(weights, points)) / total
    slope = (sum(w * (t - mean_t) * (s - mean_s) for w, (t, s) in zip(weights, points))
             / sum(w * (t - mean_t) ** 2 for w, (t, _) in zip(weights, points)))
    start = mean_s - slope * mean_t
    return {"points": points, "a_s": start, "b_us": 1e6 * slope,
            "worst": max(abs(s - start - slope * t) / s for t, s in points)}


def run_memory(machine, say):
    """Peaks of what the comparisons do not run: three steps each."""
    made = {}
    cases = {"minilm core f32": ("minilm", SPECTRAL["core 0.2 %"]), "minilm bitfit f32": ("minilm", ["--method", "bitfit"]),
             "base full f32, recompute": ("base", ["--recompute"])}
    for name, (size, words) in cases.items():
        line = machine.step(size, *words, "--head", "pooler", "--no-floor", steps=3, warmup=1)
        made[name] = {"peak_mib": line["peak_mib"], "arena_mib": line["arena_mib"]}
        say(f"{name}: {line['peak_mib']:,.0f} MiB")
    return made


# ---- Around the step ----------------------------------------------------------------------------------------------

SENTENCES = ["a fine film", "dull and far too long", "the cast is a joy", "nothing works here", "warm , funny and wise",
             "a mess from start to end", "see it twice", "i want my evening back"]


def timed(command):
    start = time.perf_counter()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotRun(f"{command[0]}: {done.stderr[-400:]}")
    return time.perf_counter() - start


def run_startup(machine, say):
    """Whole processes, from their start to their end after one training step on eight short sentences."""
    model, made = machine.need(machine.minilm), {}
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "glue/SST-2"
        task.mkdir(parents=True)
        rows = "sentence\tlabel\n" + "".join(f"{s}\t{n % 2}\n" for n, s in enumerate(SENTENCES))
        for split in ("train", "dev"):
            (task / f"{split}.tsv").write_text(rows, encoding="utf-8")
        sentences = Path(folder) / "sentences.txt"
        sentences.write_text("\n".join(SENTENCES), encoding="utf-8")
        commands = {"Basis": [machine.need(machine.basis), "bench", "step", "--model", model, "--task", "sst2", "--glue",
                              task.parent, "--batch", 8, "--steps", 1, "--warmup", 0, "--no-floor", "--threads",
                              machine.threads]}
        if machine.python.exists():
            commands["PyTorch"] = [machine.python, HERE / "peers/startup.py", "--model", model, "--sentences", sentences,
                                   "--threads", machine.threads]
        for name, command in commands.items():
            timed(command)  # files into the page cache
            made[name] = statistics.median(timed(command) for _ in range(2 if machine.is_quick else 5))
            say(f"{name}: {made[name]:.2f} s")
    return made


def run_tokenizer(machine, say):
    machine.need_peers()
    dump = machine.need(machine.basis.parent.parent / "tests/data/wordpiece_dump")
    made = {}
    for threads in sorted({1, machine.threads}):
        say(f"{threads} threads")
        command = [machine.python, HERE / "tokenizer.py", dump, machine.data, "--threads", threads, "--json", "--lines",
                   5_000 if machine.is_quick else 20_000]
        try:
            made[str(threads)] = peers.last_json_line(command, {})
        except peers.Failed as failure:
            raise CannotRun(str(failure)) from failure
    return made


def run_google(machine, say, program, *words):
    """A program of Google Benchmark's: {"context", "kernels": [{"name", "us", counters...}]}."""
    path = machine.basis.parent.parent / "benchmarks" / program
    if not path.exists():
        raise CannotRun(f"{program} is not built (cmake --preset release -DBASIS_BENCHMARKS=ON)")
    say(program)
    environment = os.environ | {"BASIS_THREADS": str(machine.threads), "BASIS_BENCH_MODEL": str(machine.minilm)}
    command = [path, "--benchmark_format=json", *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise CannotRun(f"{program}: status {done.returncode}: {done.stderr[-400:]}")
    report = json.loads(done.stdout)
    kept = ("GFLOP/s", "GB/s", "of_roof", "bytes_per_second", "items_per_second")
    unit = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}
    kernels = [{"name": b["name"].removesuffix("/real_time"), "us": b["real_time"] * unit[b["time_unit"]]}
               | {k: b[k] for k in kept if k in b} for b in report["benchmarks"]]
    context = {k: v for k, v in report["context"].items() if k.startswith("roof") or k in ("kernels", "processor")}
    return {"context": context, "kernels": kernels}


def all_rows():
    rows = []
    for what, seconds in COMPARED.items():
        for comparator in "AB":
            for dtype in ("f32", "bf16"):
                number = "AB".index(comparator) * 2 + ("f32", "bf16").index(dtype)
                rows.append(Row(row_name(comparator, *what, dtype), seconds[number],
                                lambda m, say, w=what, d=dtype, c=comparator: run_compare(m, say, *w, d, c),
                                quick=comparator == "A" and (what[0] == "minilm" or dtype == "f32")))
    for dtype in ("f32", "bf16"):
        rows.append(Row(f"spectral/{dtype}", 110, lambda m, say, d=dtype: run_spectral(m, say, d), quick=dtype == "f32"))
        rows.append(Row(f"threads/{dtype}", 100, lambda m, say, d=dtype: run_threads(m, say, d), quick=dtype == "f32"))
        rows.append(Row(f"linear/{dtype}", 70, lambda m, say, d=dtype: run_linear(m, say, d)))
    for method, rank in (("spectral-core", 35), ("spectral-diagonal", 0)):
        rows.append(Row(f"by-hand/{method}/f32", 110,
                        lambda m, say, a=method, b=rank: run_by_hand(m, say, a, b, "f32")))
    rows.append(Row("memory", 60, run_memory))
    rows.append(Row("startup", 45, run_startup, quick=True))
    rows.append(Row("tokenizer", 60, run_tokenizer, quick=True))
    rows.append(Row("kernels", 120, lambda m, say: run_google(
        m, say, "kernel_benchmark", f"--benchmark_min_time={0.01 if m.is_quick else 0.1}"), quick=True))
    rows.append(Row("work", 40, lambda m, say: run_google(m, say, "work_benchmark", "--benchmark_min_time=0.1")))
    return rows
