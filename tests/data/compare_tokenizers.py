#!/usr/bin/env python3
"""Compares WordPieceTokenizer with Hugging Face's `tokenizers`, id by id.

Reads every line of the GLUE files and of the corpora (whole lines, tabs included), every code point
alone, in a word and beside marks, and random pairs at random lengths; uncased and cased. Prints the
lines compared and the differences, and fails where there is one. Needs `tokenizers` and `zstd`.

    cmake --build --preset release --target wordpiece_dump
    python tests/data/compare_tokenizers.py build/release/tests/data/wordpiece_dump ../shared/data
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import tokenizers
from tokenizers import BertWordPieceTokenizer

LINES_AT_ONCE = 20_000
dump, data = sys.argv[1], pathlib.Path(sys.argv[2])
scratch = pathlib.Path(tempfile.mkdtemp())
failures = 0


def model(case):
    folder = scratch / case
    folder.mkdir()
    vocabulary = data / "vocab" / f"bert-base-{case}-vocab.txt"
    (folder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    lowercase = case == "uncased"
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    reference = BertWordPieceTokenizer(str(vocabulary), lowercase=lowercase)
    known = reference.encode("the", add_special_tokens=False).tokens
    assert known == ["the"], "the reference does not know a word: was its vocabulary read?"
    reference.add_special_tokens(["[UNK]", "[SEP]", "[CLS]", "[PAD]", "[MASK]"])
    return folder, reference


def report(name, compared, different):
    global failures
    failures += different
    print(f"{name}: {compared} lines, {different} differences", flush=True)


def compare_lines(name, folder, reference, content):
    """`content`: bytes of lines of valid UTF-8 that end in newlines."""
    path = scratch / "lines.txt"
    path.write_bytes(content)
    ours = np.frombuffer(subprocess.run([dump, folder, "--binary", path], check=True,
                                        stdout=subprocess.PIPE).stdout, np.int32)
    lines = content.decode().split("\n")
    if not lines[-1]:
        lines.pop()
    at = different = 0
    for begin in range(0, len(lines), LINES_AT_ONCE):
        part = lines[begin:begin + LINES_AT_ONCE]
        for line, theirs in zip(part, reference._tokenizer.encode_batch_fast(part, add_special_tokens=False)):
            count = int(ours[at])
            mine = ours[at + 1:at + 1 + count]
            at += 1 + count
            if not np.array_equal(mine, theirs.ids):
                different += 1
                if different <= 5:
                    print("  differs:", ascii(line[:200]), mine[:20].tolist(), theirs.ids[:20])
    assert at == len(ours), "not the same number of lines"
    report(name, len(lines), different)


def compare_pairs(name, folder, reference, count):
    """Random words in pairs, cut to every small length."""
    random.seed(1)
    words = ["a", "tokenization", "[SEP]", "unaffable", "1", "", "x y", "!", "[MASK]"]
    for max_length in (3, 4, 5, 6, 7, 8, 9, 16, 17, 128):
        reference.enable_truncation(max_length)
        pairs = [tuple(" ".join(random.choices(words, k=random.randrange(0, 40))) for _ in "ab")
                 for _ in range(count)]
        lines = "".join(f"{a}\t{b}\n" for a, b in pairs)
        out = subprocess.run([dump, folder, "--pairs", str(max_length)], input=lines.encode(),
                             check=True, stdout=subprocess.PIPE).stdout.decode().split("\n")
        different = sum(out[2 * i].split() != list(map(str, e.ids)) or
                        out[2 * i + 1].split() != list(map(str, e.type_ids))
                        for i, e in enumerate(reference.encode_batch(pairs)))
        report(f"{name} pairs cut to {max_length}", count, different)
    reference.no_truncation()


def code_points():
    """Each character alone, in a word, doubled beside marks of other classes, beside Chinese."""
    rng = random.Random(2)
    marks = "\u0300\u0316\u0334\u302e\U0001d165\U0001d16d\u1b44\u0941\ua953\u1dfb"
    for value in range(0x110000):
        if 0xD800 <= value < 0xE000 or value == 0x0A:
            continue
        c = chr(value)
        some = "".join(rng.choices(marks, k=3))
        yield f"{c} a{c}b {c}{c} {some}{c}{some} A{some}{c}{some}中{c}[SEP]{c}"


def random_text(count):
    """Letters, symbols, spaces and controls of every script in disorder."""
    rng = random.Random(3)
    pools = [range(0x20, 0x7F), range(0x20, 0x7F), range(0, 0x20), range(0x80, 0x600),
             range(0x2000, 0x2100), range(0x4E00, 0x4E80), range(0xAC00, 0xAC80),
             range(0x1D100, 0x1D200), range(0xF900, 0xFB00), range(0, 0xD800)]
    for _ in range(count):
        text = "".join(chr(rng.choice(rng.choice(pools))) for _ in range(rng.randrange(1, 80)))
        if rng.random() < 0.3:
            text += rng.choice(["[CLS]", "[sep]", "[[MASK]]", "[PAD", "[UNK]x"])
        yield text.replace("\n", " ")


print("tokenizers", tokenizers.__version__)
for case in ("uncased", "cased"):
    folder, reference = model(case)
    compare_pairs(case, folder, reference, 300)
    for name, lines in (("every code point", code_points()), ("random text", random_text(100_000))):
        compare_lines(f"{case} {name}", folder, reference, "".join(f"{x}\n" for x in lines).encode())
    for path in sorted((data / "glue").glob("*/*.tsv")):
        compare_lines(f"{case} {path.parent.name}/{path.name}", folder, reference, path.read_bytes())
    for path in sorted((data / "corpora").glob("*.txt.zst")):
        content = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
        compare_lines(f"{case} {path.name}", folder, reference, content)
print("differences in all:", failures)
sys.exit(failures > 0)
