#!/usr/bin/env python3
"""WordPiece against Hugging Face's `tokenizers` on the Wikipedia corpus, one thread each.

Rounds alternate. Hugging Face's side is the faster of encode_batch and encode_batch_fast, whose
results stay Encoding objects (no Python lists). Both are timed in seconds of processor time of the
one working thread, so that other load on the machine counts little; ours runs encode_all.

    cmake --build --preset release --target wordpiece_dump
    python benchmarks/tokenizer.py build/release/tests/data/wordpiece_dump ../shared/data [--lines N] [--rounds N]
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

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers  # noqa: E402
from tokenizers import BertWordPieceTokenizer  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("dump")
parser.add_argument("data", type=pathlib.Path)
parser.add_argument("--lines", type=int, default=20_000)
parser.add_argument("--rounds", type=int, default=3)
arguments = parser.parse_args()
scratch = pathlib.Path(tempfile.mkdtemp())


def corpus():
    source = subprocess.Popen(["zstd", "-dcq", arguments.data / "corpora/wikipedia.txt.zst"],
                              stdout=subprocess.PIPE)
    lines = [line for _, line in zip(range(arguments.lines), source.stdout)]
    source.kill()
    (scratch / "text.txt").write_bytes(b"".join(lines))
    return [line.decode().rstrip("\n") for line in lines]


def theirs(encode, lines):
    begin, tokens = time.process_time(), 0
    for first in range(0, len(lines), 1000):
        tokens += sum(map(len, encode(lines[first:first + 1000], add_special_tokens=False)))
    return {"cpu_s": time.process_time() - begin, "tokens": tokens}


lines = corpus()
megabytes = (scratch / "text.txt").stat().st_size / 1e6
print(f"tokenizers {tokenizers.__version__}, {platform.processor() or platform.machine()}, "
      f"{len(lines)} lines, {megabytes:.1f} MB")
for case in ("uncased", "cased"):
    folder = scratch / case
    folder.mkdir()
    vocabulary = arguments.data / "vocab" / f"bert-base-{case}-vocab.txt"
    (folder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": case == "uncased"}))
    reference = BertWordPieceTokenizer(str(vocabulary), lowercase=case == "uncased")._tokenizer
    rounds = {"ours": [], "encode_batch": [], "encode_batch_fast": []}
    for _ in range(arguments.rounds):
        out = subprocess.run([arguments.dump, folder, "--time", scratch / "text.txt", "2"],
                             check=True, stdout=subprocess.PIPE).stdout
        rounds["ours"].append(json.loads(out.splitlines()[-1]))
        for name in ("encode_batch", "encode_batch_fast"):
            rounds[name].append(theirs(getattr(reference, name), lines))
    assert len({r["tokens"] for some in rounds.values() for r in some}) == 1, "not the same tokens"
    seconds = {name: statistics.median(r["cpu_s"] for r in some) for name, some in rounds.items()}
    tokens = rounds["ours"][0]["tokens"]
    for name, s in seconds.items():
        print(f"{case} {name}: {tokens / s / 1e6:.2f} million tokens/s, {megabytes / s:.1f} MB/s")
    best = min(seconds["encode_batch"], seconds["encode_batch_fast"])
    print(f"{case} ratio: {best / seconds['ours']:.1f}")
