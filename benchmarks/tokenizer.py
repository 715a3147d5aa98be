#!/usr/bin/env python3
"""WordPiece against Hugging Face's `tokenizers` on the Wikipedia corpus, one thread each or all.

Rounds alternate. Hugging Face's side is the faster of encode_batch and encode_batch_fast, whose
results stay Encoding objects (no Python lists). With one thread both are timed in seconds of
processor time, so that other load on the machine counts little; with more, by the clock. Ours runs
encode_all.

    cmake --build --preset release --target wordpiece_dump
    python benchmarks/tokenizer.py build/release/tests/data/wordpiece_dump ../shared/data
        [--lines N] [--rounds N] [--threads N] [--json]
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("dump")
parser.add_argument("data", type=pathlib.Path)
parser.add_argument("--lines", type=int, default=20_000)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--json", action="store_true", help="one JSON line in place of sentences")
arguments = parser.parse_args()

# Read by the library as it is loaded.
os.environ["TOKENIZERS_PARALLELISM"] = "false" if arguments.threads == 1 else "true"
os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
import tokenizers  # noqa: E402
from tokenizers import BertWordPieceTokenizer  # noqa: E402

CLOCK, KEY = (time.process_time, "cpu_s") if arguments.threads == 1 else (time.perf_counter, "wall_s")


def corpus(scratch):
    source = subprocess.Popen(["zstd", "-dcq", arguments.data / "corpora/wikipedia.txt.zst"],
                              stdout=subprocess.PIPE)
    lines = [line for _, line in zip(range(arguments.lines), source.stdout)]
    source.kill()
    source.wait()
    (scratch / "text.txt").write_bytes(b"".join(lines))
    return [line.decode().rstrip("\n") for line in lines]


def theirs(encode, lines):
    begin, tokens = CLOCK(), 0
    for first in range(0, len(lines), 1000):
        tokens += sum(map(len, encode(lines[first:first + 1000], add_special_tokens=False)))
    return {KEY: CLOCK() - begin, "tokens": tokens}


def measure(case, lines, scratch):
    """Seconds of a round by side, medians, and the tokens that all sides found."""
    folder = scratch / case
    folder.mkdir()
    vocabulary = arguments.data / "vocab" / f"bert-base-{case}-vocab.txt"
    (folder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": case == "uncased"}))
    reference = BertWordPieceTokenizer(str(vocabulary), lowercase=case == "uncased")._tokenizer
    rounds = {"ours": [], "encode_batch": [], "encode_batch_fast": []}
    for _ in range(arguments.rounds):
        out = subprocess.run([arguments.dump, folder, "--time", scratch / "text.txt", "2",
                              str(arguments.threads)], check=True, stdout=subprocess.PIPE).stdout
        rounds["ours"].append(json.loads(out.splitlines()[-1]))
        for name in ("encode_batch", "encode_batch_fast"):
            rounds[name].append(theirs(getattr(reference, name), lines))
    assert len({r["tokens"] for some in rounds.values() for r in some}) == 1, "not the same tokens"
    return ({name: statistics.median(r[KEY] for r in some) for name, some in rounds.items()},
            rounds["ours"][0]["tokens"])


def main():
    result = {"tokenizers": tokenizers.__version__, "threads": arguments.threads}
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        lines = corpus(scratch)
        megabytes = (scratch / "text.txt").stat().st_size / 1e6
        if not arguments.json:
            print(f"tokenizers {tokenizers.__version__}, {platform.processor() or platform.machine()}, "
                  f"{len(lines)} lines, {megabytes:.1f} MB, {arguments.threads} threads")
        for case in ("uncased", "cased"):
            seconds, tokens = measure(case, lines, scratch)
            best = min(seconds["encode_batch"], seconds["encode_batch_fast"])
            result[case] = {"ratio": best / seconds["ours"],
                            "tokens_per_s": {name: tokens / s for name, s in seconds.items()},
                            "mb_per_s": {name: megabytes / s for name, s in seconds.items()}}
            if arguments.json:
                continue
            for name, s in seconds.items():
                print(f"{case} {name}: {tokens / s / 1e6:.2f} million tokens/s, {megabytes / s:.1f} MB/s")
            print(f"{case} ratio: {best / seconds['ours']:.1f}")
    if arguments.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
