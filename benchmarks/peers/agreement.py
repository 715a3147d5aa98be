"""Do PyTorch and Basis train the same model the same way? (README.md says what each file holds.)

  python agreement.py prepare RUN --model DIR --glue DIR [--task mrpc] [--dropout 0] [--seed 1] [--batch 32]
                                  [--max-length 128] [--learning-rate 2e-5] [--epochs 1] [--steps N]
  python agreement.py torch RUN [--threads N]           trains, writes RUN/torch.*
  python agreement.py basis RUN [--program basis]       runs ours on the same folder, writes RUN/basis.*
  python agreement.py losses RUN                        (a): the first 20 losses, dev predictions; status 1 if they differ
  python agreement.py score RUN SIDE                    prints the dev scores of RUN/SIDE.predictions.jsonl
  python agreement.py welch --torch RUN... --basis RUN...       (b): 99 % Welch interval of the difference
  python agreement.py welch --torch FILE --basis FILE           the same from {"accuracy": [...], "f1": [...]}
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import batches as batch_files

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

FIRST_LOSSES = 20
LOSS_TOLERANCE = 1e-3  # relative
EQUAL_PREDICTIONS = 0.99


def write_lines(path, rows):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def prepare(options):
    """RUN: start/ (full model folder with a mean-pooling head), train.jsonl, dev.jsonl, settings.json."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    from training import SETTINGS

    run = Path(options.run)
    start = run / "start"
    start.mkdir(parents=True, exist_ok=True)
    model, outputs = Path(options.model), batch_files.outputs_of(options.task)

    stored = load_file(model / "model.safetensors")
    prefix = "" if any(k.startswith("bert.") for k in stored) else "bert."
    weights = {prefix + k: v for k, v in stored.items()
               if (prefix + k).startswith(("bert.embeddings.", "bert.encoder."))
               and not k.endswith("position_ids")}
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    rng = np.random.default_rng(options.seed)
    weights["classifier.weight"] = (config.get("initializer_range", 0.02)
                                    * rng.standard_normal((outputs, config["hidden_size"]))).astype(np.float32)
    weights["classifier.bias"] = np.zeros(outputs, np.float32)
    save_file(weights, start / "model.safetensors", metadata={"format": "pt"})
    config |= {"basis_head": "mean", "hidden_dropout_prob": options.dropout,
               "attention_probs_dropout_prob": options.dropout, "architectures": ["BertForSequenceClassification"],
               "id2label": {str(i): f"LABEL_{i}" for i in range(outputs)},
               "label2id": {f"LABEL_{i}": i for i in range(outputs)},
               "problem_type": "regression" if outputs == 1 else "single_label_classification"}
    (start / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        if (model / name).exists():
            shutil.copyfile(model / name, start / name)

    common = dict(model=options.model, glue=options.glue, task=options.task, batch=options.batch,
                  max_length=options.max_length)
    epochs = []
    for epoch in range(options.epochs):
        epochs += batch_files.make(**common, out=run / "train.jsonl", seed=1000 * options.seed + epoch)
    batch_files.write(run / "train.jsonl", epochs[: options.steps])
    batch_files.make(**common, out=run / "dev.jsonl", split="dev", order="file")
    settings = SETTINGS | dict(learning_rate=options.learning_rate, steps=len(epochs[: options.steps]),
                               method="full", dtype="f32", task=options.task, outputs=outputs, seed=options.seed,
                               dropout=options.dropout)
    (run / "settings.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    print(f"{run}: {settings['steps']} steps")


def train_torch(options):
    """RUN/torch.losses.jsonl and torch.predictions.jsonl."""
    import torch
    from transformers import get_linear_schedule_with_warmup

    from training import build, loss_of, optimiser_of, padded

    run = Path(options.run)
    settings = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    torch.set_num_threads(options.threads)
    torch.manual_seed(settings["seed"])
    is_regression = settings["outputs"] == 1
    model = build(str(run / "start"), settings["outputs"], head="mean").train()
    optimiser = optimiser_of(model, settings)
    schedule = get_linear_schedule_with_warmup(optimiser, round(settings["warmup_share"] * settings["steps"]),
                                               settings["steps"])
    losses = []
    for number, step in enumerate(batch_files.read(run / "train.jsonl")):
        inputs, labels = padded(step, is_regression)
        loss = loss_of(model(**inputs), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip_norm"])
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append({"step": number, "loss": loss.item()})
        print(f"step {number + 1}/{settings['steps']} loss {loss.item():.4f}", file=sys.stderr)
    model.eval()
    rows = []
    with torch.inference_mode():
        for step in batch_files.read(run / "dev.jsonl"):
            rows += [{"logits": r} for r in model(**padded(step, is_regression)[0]).tolist()]
    write_lines(run / "torch.losses.jsonl", losses)
    write_lines(run / "torch.predictions.jsonl", rows)
    print(json.dumps(scores(run, "torch")))


def train_basis(options):
    """Our side of the contract: the command in README.md."""
    run = Path(options.run)
    subprocess.run([options.program, "bench", "step", "--model", run / "start", "--batches", run / "train.jsonl",
                    "--settings", run / "settings.json", "--losses", run / "basis.losses.jsonl", "--dev-batches",
                    run / "dev.jsonl", "--predictions", run / "basis.predictions.jsonl"], check=True)
    print(json.dumps(scores(run, "basis")))


def labels_of(run):
    return [label for step in batch_files.read(run / "dev.jsonl") for label in step["labels"]]


def logits_of(run, side):
    rows = [json.loads(line)["logits"] for line in (run / f"{side}.predictions.jsonl").read_text().splitlines()]
    labels = labels_of(run)
    if len(rows) != len(labels):
        raise SystemExit(f"{run}/{side}.predictions.jsonl: {len(rows)} rows, expected {len(labels)}")
    return rows, labels


def classes_of(rows):
    return [max(range(len(r)), key=r.__getitem__) for r in rows]


def scores(run, side):
    """Accuracy and F1 of class 1; Pearson's correlation for a number."""
    rows, labels = logits_of(Path(run), side)
    if len(rows[0]) == 1:
        return {"pearson": statistics.correlation([r[0] for r in rows], labels)}
    guesses = classes_of(rows)
    hits = sum(g == t == 1 for g, t in zip(guesses, labels))
    wrong = sum(g != t and 1 in (g, t) for g, t in zip(guesses, labels))
    return {"accuracy": sum(g == t for g, t in zip(guesses, labels)) / len(labels),
            "f1": 2 * hits / (2 * hits + wrong) if hits else 0.0}


def compare_losses(options):
    """(a): exit status 1 where a loss or too many predictions differ."""
    run = Path(options.run)
    sides = [[json.loads(line)["loss"] for line in (run / f"{s}.losses.jsonl").read_text().splitlines()]
             for s in ("torch", "basis")]
    if len(sides[0]) != len(sides[1]):
        raise SystemExit(f"{run}: {len(sides[0])} losses of PyTorch, {len(sides[1])} of ours")
    differences = [abs(a - b) / abs(a) for a, b in zip(*sides)]
    worst = max(differences[:FIRST_LOSSES])
    print(f"first {FIRST_LOSSES} losses: largest relative difference {worst:.2e} (at most {LOSS_TOLERANCE})")
    print(f"all {len(differences)} losses: {max(differences):.2e}")
    (theirs, labels), (ours, _) = logits_of(run, "torch"), logits_of(run, "basis")
    if len(theirs[0]) == 1:
        return 0 if worst <= LOSS_TOLERANCE else 1
    equal = sum(a == b for a, b in zip(classes_of(theirs), classes_of(ours))) / len(labels)
    print(f"equal dev predictions: {equal:.4f} (at least {EQUAL_PREDICTIONS})")
    print(f"PyTorch {scores(run, 'torch')}, Basis {scores(run, 'basis')}")
    return 0 if worst <= LOSS_TOLERANCE and equal >= EQUAL_PREDICTIONS else 1


def student_quantile(probability, freedom):
    """Quantile of Student's t by bisection on its density's integral (Simpson); scipy is not needed for one number."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)

    def below(x, pieces=2000):
        width = x / pieces
        total = sum((1 if i in (0, pieces) else 4 if i % 2 else 2) * (1 + (i * width) ** 2 / freedom)
                    ** (-(freedom + 1) / 2) for i in range(pieces + 1))
        return 0.5 + scale * total * width / 3

    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < probability else (low, middle)
    return (low + high) / 2


def welch_interval(first, second, level=0.99):
    """Mean(second) - mean(first) and its interval, unequal variances (Welch 1947)."""
    parts = [statistics.variance(s) / len(s) for s in (first, second)]
    difference = statistics.mean(second) - statistics.mean(first)
    if sum(parts) == 0:
        return difference, difference, difference
    freedom = sum(parts) ** 2 / sum(p * p / (len(s) - 1) for p, s in zip(parts, (first, second)))
    half = student_quantile((1 + level) / 2, freedom) * math.sqrt(sum(parts))
    return difference, difference - half, difference + half


def score_lists(paths, side):
    """Scores by metric from run folders, or from one JSON file that holds the lists."""
    if len(paths) == 1 and Path(paths[0]).is_file():
        return json.loads(Path(paths[0]).read_text(encoding="utf-8"))
    rows = [scores(p, side) for p in paths]
    return {metric: [r[metric] for r in rows] for metric in rows[0]}


def welch(options):
    theirs, ours = score_lists(options.torch, "torch"), score_lists(options.basis, "basis")
    status = 0
    for metric in sorted(set(theirs) & set(ours)):
        if min(len(theirs[metric]), len(ours[metric])) < 2:
            raise SystemExit("welch: at least two runs a side")
        difference, low, high = welch_interval(theirs[metric], ours[metric])
        inside = low <= 0 <= high
        status |= not inside
        print(f"{metric}: PyTorch {statistics.mean(theirs[metric]):.4f} (n={len(theirs[metric])}), Basis "
              f"{statistics.mean(ours[metric]):.4f} (n={len(ours[metric])}), difference {difference:+.4f}, 99 % "
              f"[{low:+.4f}, {high:+.4f}] {'contains 0' if inside else 'DOES NOT CONTAIN 0'}")
    return status


def main():
    parser = argparse.ArgumentParser(description="Agreement of PyTorch and Basis")
    actions = parser.add_subparsers(dest="action", required=True)
    make = actions.add_parser("prepare")
    make.add_argument("run")
    make.add_argument("--model", required=True)
    make.add_argument("--glue", required=True)
    make.add_argument("--task", default="mrpc")
    make.add_argument("--dropout", type=float, default=0.0)
    make.add_argument("--seed", type=int, default=1)
    make.add_argument("--batch", type=int, default=32)
    make.add_argument("--max-length", type=int, default=128)
    make.add_argument("--learning-rate", type=float, default=2e-5)
    make.add_argument("--epochs", type=int, default=1)
    make.add_argument("--steps", type=int)
    one = actions.add_parser("torch")
    one.add_argument("run")
    one.add_argument("--threads", type=int, default=os.cpu_count())
    ours = actions.add_parser("basis")
    ours.add_argument("run")
    ours.add_argument("--program", default="basis")
    actions.add_parser("losses").add_argument("run")
    show = actions.add_parser("score")
    show.add_argument("run")
    show.add_argument("side", choices=["torch", "basis"])
    both = actions.add_parser("welch")
    both.add_argument("--torch", nargs="+", required=True)
    both.add_argument("--basis", nargs="+", required=True)
    options = parser.parse_args()
    if options.action == "score":
        print(json.dumps(scores(options.run, options.side)))
        return 0
    return {"prepare": prepare, "torch": train_torch, "basis": train_basis, "losses": compare_losses,
            "welch": welch}[options.action](options)


if __name__ == "__main__":
    sys.exit(main())
