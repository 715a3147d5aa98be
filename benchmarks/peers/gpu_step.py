"""PyTorch's training step on a GPU, at its best: variants on the batches that Basis measures itself on.

  python gpu_step.py --batches FOLDER --out FILE [--budget SECONDS] [--only PATTERN] [--device cuda|cpu] [--size base]

FOLDER has mrpc_128.jsonl, mrpc_128_grouped.jsonl and mrpc_32.jsonl (scripts/package_gpu.sh). One JSON line a variant is
appended to FILE as it ends; one that cannot run says why. A step is: copy to the device, forward, loss, backward, clip to
norm 1, fused AdamW; nothing is read back in it. tokens_per_s: real tokens by seconds of a window of steps between two
synchronisations, the median of several windows. The most telling variants come first; one that would begin behind
--budget is left out, and said so.
"""

import argparse
import contextlib
import fnmatch
import json
import os
import statistics
import time
import traceback
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

START = time.perf_counter()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from transformers import BertConfig, BertForSequenceClassification  # noqa: E402

import batches as batch_files  # noqa: E402
from random_model import SIZES  # noqa: E402

BUCKETS = (32, 48, 64, 80, 96, 128)  # of lengths, where shapes must be few
# workload: file of batches, sequences, every length full
WORKLOADS = {"base_128_random": ("mrpc_128.jsonl", False), "base_128_grouped": ("mrpc_128_grouped.jsonl", False),
             "base_32": ("mrpc_32.jsonl", False), "base_128_full_length": ("mrpc_128.jsonl", True)}
# (workload, mode, attention, precision, method), the most telling first. Modes: eager; compiled: dynamic shapes;
# graphs: reduce-overhead on bucketed shapes.
VARIANTS = [
    ("base_128_random", "eager", "varlen", "pure", "full"),
    ("base_128_random", "eager", "sdpa", "pure", "full"),
    ("base_128_grouped", "eager", "sdpa", "pure", "full"),
    ("base_32", "eager", "sdpa", "pure", "full"),
    ("base_32", "eager", "sdpa", "pure", "lora"),
    ("base_32", "graphs", "sdpa", "pure", "full"),
    ("base_128_grouped", "graphs", "sdpa", "pure", "full"),
    ("base_128_random", "graphs", "sdpa", "pure", "full"),
    ("base_32", "graphs", "sdpa", "pure", "lora"),
    ("base_128_full_length", "compiled", "sdpa", "pure", "full"),
    ("base_128_grouped", "compiled", "sdpa", "pure", "full"),
    ("base_32", "compiled", "sdpa", "pure", "full"),
    ("base_128_random", "eager", "sdpa", "autocast", "full"),
    ("base_128_grouped", "eager", "varlen", "pure", "full"),
    ("base_32", "eager", "varlen", "pure", "full"),
    ("base_32", "eager", "sdpa", "autocast", "full"),
    ("base_128_grouped", "graphs", "sdpa", "autocast", "full"),
    ("base_128_random", "compiled", "sdpa", "pure", "full"),
    ("base_32", "graphs", "sdpa", "autocast", "full"),
]


def model_of(size, attention):
    layers, width, heads = SIZES[size]
    config = BertConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width,
                        num_labels=2)
    config._attn_implementation = "eager" if attention == "eager" else "sdpa"
    torch.manual_seed(1)
    return BertForSequenceClassification(config)


class VarlenBert(nn.Module):
    """Transformers' layers on one row of tokens, attention by torch's FlashAttention over packed sequences."""

    def __init__(self, model):
        super().__init__()
        self.inner = model

    def attend(self, attention, x, offsets, longest):
        config = self.inner.config
        q, k, v = (part(x).view(len(x), config.num_attention_heads, -1)
                   for part in (attention.query, attention.key, attention.value))
        dropout = config.attention_probs_dropout_prob if self.training else 0.0
        out = torch.ops.aten._flash_attention_forward(q, k, v, offsets, offsets, longest, longest, dropout, False, False)
        return out[0].reshape(len(x), -1)

    def forward(self, ids, types, positions, offsets, longest):
        bert = self.inner.bert
        e = bert.embeddings
        x = e.word_embeddings(ids) + e.token_type_embeddings(types) + e.position_embeddings(positions)
        x = e.dropout(e.LayerNorm(x))
        for layer in bert.encoder.layer:
            x = layer.attention.output(self.attend(layer.attention.self, x, offsets, longest), x)
            x = layer.output(layer.intermediate(x), x)
        pooled = bert.pooler.activation(bert.pooler.dense(x[offsets[:-1].long()]))
        return self.inner.classifier(self.inner.dropout(pooled))


class Padded:
    """Batches as rows of equal length, pinned, so that a copy does not hold up the host."""

    def __init__(self, steps, mode, full_length, device):
        self.steps = [self.padded(step, mode, full_length, device) for step in steps]

    @staticmethod
    def padded(step, mode, full_length, device):
        ids, types = step["input_ids"], step["token_type_ids"]
        longest = 128 if full_length else max(map(len, ids))
        if mode == "graphs":
            longest = next(b for b in BUCKETS if b >= longest)
        if full_length:
            ids = [(row * 128)[:128] for row in ids]
            types = [(row * 128)[:128] for row in types]
        rows = torch.zeros(3, len(ids), longest, dtype=torch.long)
        for n, (row, kinds) in enumerate(zip(ids, types)):
            rows[0, n, :len(row)] = torch.tensor(row)
            rows[1, n, :len(row)] = torch.tensor(kinds)
            rows[2, n, :len(row)] = 1
        labels = torch.tensor(step["labels"])
        if device == "cuda":
            rows, labels = rows.pin_memory(), labels.pin_memory()
        return rows, labels, sum(map(len, ids))

    def inputs(self, number, device):
        rows, labels, tokens = self.steps[number]
        rows = rows.to(device, non_blocking=True)
        given = dict(input_ids=rows[0], token_type_ids=rows[1], attention_mask=rows[2])
        return given, labels.to(device, non_blocking=True), tokens


class Packed:
    """Batches as one row of tokens."""

    def __init__(self, steps, device):
        self.steps = []
        for step in steps:
            lengths = [len(s) for s in step["input_ids"]]
            rows = torch.tensor([[i for s in step["input_ids"] for i in s],
                                 [t for s in step["token_type_ids"] for t in s],
                                 [p for n in lengths for p in range(n)]])
            offsets = torch.tensor([0] + lengths).cumsum(0).to(torch.int32)
            labels = torch.tensor(step["labels"])
            if device == "cuda":
                rows, offsets, labels = rows.pin_memory(), offsets.pin_memory(), labels.pin_memory()
            self.steps.append((rows, offsets, max(lengths), labels, sum(lengths)))

    def inputs(self, number, device):
        rows, offsets, longest, labels, tokens = self.steps[number]
        rows = rows.to(device, non_blocking=True)
        given = dict(ids=rows[0], types=rows[1], positions=rows[2], offsets=offsets.to(device, non_blocking=True),
                     longest=longest)
        return given, labels.to(device, non_blocking=True), tokens


def with_lora(model):
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"]))


class Training:
    def __init__(self, options, variant):
        workload, mode, attention, precision, method = variant
        file, full_length = WORKLOADS[workload]
        steps = batch_files.read(Path(options.batches) / file)[: options.steps]
        size = len(steps[0]["labels"])
        steps = [s for s in steps if len(s["labels"]) == size]
        self.device = options.device
        if attention == "varlen" and self.device == "cpu":
            raise RuntimeError("torch has FlashAttention over packed sequences on GPUs alone")
        model = model_of(options.size, attention)
        if method == "lora":
            model = with_lora(model)
        if precision == "pure":
            model = model.to(torch.bfloat16)
        model = model.to(self.device).train()
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, lr=2e-5, weight_decay=0.01, fused=True)
        self.is_varlen = attention == "varlen"
        call = VarlenBert(model).train() if self.is_varlen else model
        if mode == "compiled":
            call = torch.compile(call, dynamic=True)
        elif mode == "graphs":
            call = torch.compile(call, mode="reduce-overhead", dynamic=False)
        self.call = call
        self.mode = mode
        self.mixed = precision == "autocast"
        self.data = Packed(steps, self.device) if self.is_varlen else Padded(steps, mode, full_length, self.device)

    def step(self, number):
        given, labels, tokens = self.data.inputs(number, self.device)
        if self.mode == "graphs" and self.device == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        with torch.autocast(self.device, torch.bfloat16) if self.mixed else contextlib.nullcontext():
            made = self.call(**given)
            logits = made if self.is_varlen else made.logits
            loss = nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0, foreach=True)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return tokens

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def window(self):
        self.wait()
        start = time.perf_counter()
        tokens = sum(self.step(n) for n in range(len(self.data.steps)))
        self.wait()
        return tokens, time.perf_counter() - start


def measure(options, variant):
    if options.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch._dynamo.reset()
    training = Training(options, variant)
    start = time.perf_counter()
    training.step(0)
    training.wait()
    first = time.perf_counter() - start
    training.window()  # compiles, and records, every shape
    windows = [training.window() for _ in range(options.windows)]
    peak = torch.cuda.max_memory_allocated() / 2**20 if options.device == "cuda" else None
    return {"tokens_per_s": statistics.median(tokens / seconds for tokens, seconds in windows),
            "windows_s": [seconds for _, seconds in windows], "steps": len(training.data.steps), "tokens": windows[0][0],
            "peak_mib": peak, "first_step_s": first, "trained": sum(p.numel() for p in training.trained)}


def main():
    parser = argparse.ArgumentParser(description="PyTorch's training step on a GPU")
    parser.add_argument("--batches", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--budget", type=float, default=340)
    parser.add_argument("--only", default="*", help="variants whose name fits, such as 'base_32-*'")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--size", choices=list(SIZES), default="base")
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--windows", type=int, default=3)
    options = parser.parse_args()
    about = {"torch": torch.__version__, "device": options.device, "size": options.size}
    if options.device == "cuda":
        about["gpu"] = torch.cuda.get_device_name()
    for variant in VARIANTS:
        name = "-".join(variant)
        if not fnmatch.fnmatch(name, options.only):
            continue
        spent = time.perf_counter() - START
        made = {"name": name} | about
        if spent > options.budget:
            made |= {"status": "not run", "why": f"{spent:.0f} of {options.budget:.0f} s are gone"}
        else:
            try:
                made |= {"status": "measured"} | measure(options, variant)
            except Exception as error:  # a variant that fails must not end the others
                made |= {"status": "not run", "why": f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"}
                traceback.print_exc()
        with open(options.out, "a", encoding="utf-8") as out:
            out.write(json.dumps(made) + "\n")
        print(json.dumps(made), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
