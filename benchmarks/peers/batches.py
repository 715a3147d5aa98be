"""Writes the batches that both sides train on, so that neither tokenizer nor shuffle can differ.

  python batches.py --model DIR --glue DIR --task mrpc --out FILE [--split train|dev] [--batch 32]
                    [--max-length 128] [--order random|grouped|file] [--seed 1] [--steps N]

One JSON line a step: {"input_ids": [[...], ...], "token_type_ids": [[...], ...], "labels": [...]}; no padding.
grouped: shuffled, then sorted by length within 50 batches, as transformers' group_by_length. file: the file's order.
"""

import argparse
import json
import os
import random
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Folder, columns of the texts, column of the label, classes in order of their ids (None: a number).
ENTAILMENT = ["entailment", "not_entailment"]
TASKS = {
    "cola": ("CoLA", [3], 1, ["0", "1"]),  # no header
    "sst-2": ("SST-2", ["sentence"], "label", ["0", "1"]),
    "mrpc": ("MRPC", ["#1 String", "#2 String"], "Quality", ["0", "1"]),
    "sts-b": ("STS-B", ["sentence1", "sentence2"], "score", None),
    "qqp": ("QQP", ["question1", "question2"], "is_duplicate", ["0", "1"]),
    "mnli": ("MNLI", ["sentence1", "sentence2"], "gold_label", ["entailment", "neutral", "contradiction"]),
    "qnli": ("QNLI", ["question", "sentence"], "label", ENTAILMENT),
    "rte": ("RTE", ["sentence1", "sentence2"], "label", ENTAILMENT),
    "wnli": ("WNLI", ["sentence1", "sentence2"], "label", ["0", "1"]),
}


def task_named(name):
    key = name.lower()
    key = {"sst2": "sst-2", "stsb": "sts-b"}.get(key, key)
    if key not in TASKS:
        raise SystemExit(f"no task {name!r}; there are {', '.join(TASKS)}")
    return TASKS[key]


def outputs_of(name):
    classes = task_named(name)[3]
    return 1 if classes is None else len(classes)


def read_glue(glue, name, split):
    """Rows of (texts, label). GLUE's files have no quoting: a quotation mark is a character."""
    folder, texts, label, classes = task_named(name)
    file = "dev_matched.tsv" if folder == "MNLI" and split == "dev" else f"{split}.tsv"
    path = Path(glue) / folder / file
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").split("\n") if line]
    if isinstance(label, str):
        header, rows = [c.strip() for c in rows[0]], rows[1:]
        texts, label = [header.index(t) for t in texts], header.index(label)
    made = []
    for number, row in enumerate(rows):
        try:
            value = row[label].strip()
            made.append(([row[t].strip() for t in texts],
                         float(value) if classes is None else classes.index(value)))
        except (IndexError, ValueError) as error:
            raise SystemExit(f"{path}: row {number + 1}: {error}") from error
    return made


def load_tokenizer(model):
    """A tokenizer that does know its vocabulary: transformers 5 can answer [UNK] to everything without a word."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    if tokenizer.unk_token_id in tokenizer("the", add_special_tokens=False)["input_ids"]:
        raise SystemExit(f"{model}: the tokenizer does not know 'the'")
    return tokenizer


def encode(tokenizer, rows, max_length):
    columns = list(zip(*(texts for texts, _ in rows)))
    made = tokenizer(*[list(c) for c in columns], truncation=True, max_length=max_length,
                     return_token_type_ids=True)
    return list(zip(made["input_ids"], made["token_type_ids"], (label for _, label in rows)))


def ordered(examples, order, batch, seed):
    """Lists of examples, one a step; the last may be shorter."""
    numbers = list(range(len(examples)))
    if order != "file":
        random.Random(seed).shuffle(numbers)
    if order == "grouped":
        window = 50 * batch
        numbers = [n for first in range(0, len(numbers), window)
                   for n in sorted(numbers[first:first + window], key=lambda n: -len(examples[n][0]))]
    steps = [numbers[first:first + batch] for first in range(0, len(numbers), batch)]
    if order == "grouped":  # sorted windows, but not training from long to short
        random.Random(seed + 1).shuffle(steps)
    return [[examples[n] for n in step] for step in steps]


def write(path, steps):
    with open(path, "w", encoding="utf-8") as out:
        for step in steps:
            ids, types, labels = zip(*step)
            json.dump({"input_ids": ids, "token_type_ids": types, "labels": labels}, out)
            out.write("\n")


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def make(model, glue, task, out, split="train", batch=32, max_length=128, order="random", seed=1, steps=None):
    """Writes one epoch, or its first `steps` steps, to `out`; returns the steps written."""
    examples = encode(load_tokenizer(model), read_glue(glue, task, split), max_length)
    made = ordered(examples, order, batch, seed)[:steps]
    write(out, made)
    return made


def main():
    parser = argparse.ArgumentParser(description="Batches of a GLUE task as JSON lines")
    parser.add_argument("--model", required=True)
    parser.add_argument("--glue", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--split", choices=["train", "dev"], default="train")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--order", choices=["random", "grouped", "file"], default="random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int)
    make(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
