"""Loads a model folder (ours or another's) in transformers and prints what it says of texts.

  python load_in_transformers.py FOLDER [--text "one"] [--text "first<TAB>second"] [--pairs] [--max-length N]
                                 [--expected FILE]

Without --text, a text a line comes from standard input (--pairs: two, tab between), as for `basis predict`.
Prints a JSON line {"logits": [...]} each. --expected: the output of `basis predict` on the same lines; exit
status 1 where a logit differs by more than 1e-5 of the largest (f32 on both sides, other order of sums).

A folder whose config says "basis_head": "mean" has a head that transformers has no class for: its encoder is
loaded by BertModel.from_pretrained, and mean and linear layer are applied here.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel  # noqa: E402

TOLERANCE = 1e-5


class MeanPool(nn.Module):
    """Mean over a sequence's real tokens, then one linear layer."""

    def __init__(self, folder):
        super().__init__()
        self.bert = BertModel.from_pretrained(folder, add_pooling_layer=False)
        self.config = self.bert.config
        weights = load_file(Path(folder) / "model.safetensors")
        outputs, width = weights["classifier.weight"].shape
        self.classifier = nn.Linear(width, outputs)
        self.classifier.load_state_dict({k: weights[f"classifier.{k}"] for k in ("weight", "bias")})

    def forward(self, input_ids, attention_mask, token_type_ids):
        hidden = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state
        mask = attention_mask[..., None].to(hidden.dtype)
        return self.classifier((hidden * mask).sum(1) / mask.sum(1))


def load_model(folder):
    if getattr(BertConfig.from_pretrained(folder), "basis_head", "pooler") == "mean":
        return MeanPool(folder).eval()
    model, report = BertForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    new = sorted(report["missing_keys"])
    if new or report["mismatched_keys"]:
        sys.exit(f"{folder}: not in the file or of another shape: {', '.join(map(str, new))}"
                 f" {report['mismatched_keys'] or ''}")
    if report["unexpected_keys"]:
        print(f"{folder}: unused: {', '.join(sorted(report['unexpected_keys']))}", file=sys.stderr)
    return model.eval()


def load_tokenizer(folder):
    """transformers 5 has ways to lose a vocabulary without a word: a word of vocab.txt must be known."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for word in (Path(folder) / "vocab.txt").read_text(encoding="utf-8").split("\n"):
        if word.isascii() and word.isalpha() and word.islower():
            assert tokenizer.tokenize(word) == [word], f"{folder}: the tokenizer does not know {word!r}"
            return tokenizer
    raise SystemExit(f"{folder}/vocab.txt has no plain word")


def logits_of(model, tokenizer, lines, pairs, max_length):
    rows = []
    with torch.no_grad():
        for line in lines:
            texts = line.split("\t", 1) if pairs else [line]
            inputs = tokenizer(*texts, return_tensors="pt", truncation=True, max_length=max_length)
            inputs = {k: inputs[k] for k in ("input_ids", "attention_mask", "token_type_ids")}
            out = model(**inputs)
            rows.append((out if isinstance(out, torch.Tensor) else out.logits)[0].tolist())
    return rows


def compare(rows, expected):
    """Exit status 1 with the worst row where `expected` (JSON lines of `basis predict`) differs."""
    theirs = [json.loads(line)["logits"] for line in Path(expected).read_text().splitlines()]
    if len(theirs) != len(rows):
        sys.exit(f"{expected}: {len(theirs)} rows, expected {len(rows)}")
    a, b = torch.tensor(rows, dtype=torch.float64), torch.tensor(theirs, dtype=torch.float64)
    worst = ((a - b).abs().max() / a.abs().max()).item()
    print(f"largest difference {worst:.2e} of the largest logit", file=sys.stderr)
    if not worst <= TOLERANCE:
        sys.exit(f"row {(a - b).abs().max(1).values.argmax().item()} differs by more than {TOLERANCE}")


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder")
    parser.add_argument("--text", action="append")
    parser.add_argument("--pairs", action="store_true")
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--expected")
    return parser


def answer(model, options):
    tokenizer = load_tokenizer(options.folder)
    lines = options.text if options.text is not None else sys.stdin.read().splitlines()
    longest = options.max_length or model.config.max_position_embeddings
    rows = logits_of(model, tokenizer, lines, options.pairs, longest)
    for row in rows:
        print(json.dumps({"logits": row}))
    if options.expected:
        compare(rows, options.expected)


if __name__ == "__main__":
    given = arguments("Logits of a model folder by transformers").parse_args()
    answer(load_model(given.folder), given)
