"""Measures PyTorch's training step on a batches file, in one process. Prints one JSON line.

  python pytorch_step.py --model DIR --batches FILE [--outputs 2] [--method full|lora|head|svft|lora-xs] [--rank 5]
                         [--dtype f32|bf16|bf16-pure] [--head pooler|mean] [--attention sdpa|eager] [--compile]
                         [--packed] [--eval] [--threads N] [--steps N] [--warmup 3]

A step is: pad, forward, loss, backward, clip to norm 1, fused AdamW; with --eval: pad and forward. tokens_per_s is the
median over steps of real (unpadded) tokens by seconds. The first --warmup steps are run and not counted. The allocator's
settings are the caller's: environment variables must stand before the process starts (compare.py sets them).
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import torch  # noqa: E402
import transformers  # noqa: E402

import batches as batch_files  # noqa: E402
from packed import PackedBert, packed  # noqa: E402
from training import METHODS, SETTINGS, build, loss_of, optimiser_of, padded, real_tokens  # noqa: E402

ENVIRONMENT = ("THP_MEM_ALLOC_ENABLE", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_",
               "LD_PRELOAD", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_AFFINITY", "OMP_PROC_BIND")


def peak_mib():
    with open("/proc/self/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
                    platform.machine())


def arguments():
    parser = argparse.ArgumentParser(description="PyTorch's step on a batches file")
    parser.add_argument("--model", required=True)
    parser.add_argument("--batches", required=True)
    parser.add_argument("--outputs", type=int, default=2)
    parser.add_argument("--method", choices=METHODS, default="full")
    parser.add_argument("--rank", type=int, default=5, help="r of lora, k of svft and lora-xs; 0: full")
    parser.add_argument("--dtype", choices=["f32", "bf16", "bf16-pure"], default="f32")
    parser.add_argument("--head", choices=["pooler", "mean"], default="pooler")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--packed", action="store_true", help="without padding, by hand (packed.py)")
    parser.add_argument("--eval", action="store_true")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int)
    parser.add_argument("--warmup", type=int, default=3)
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    steps = batch_files.read(options.batches)[: options.steps]
    if len(steps) <= options.warmup:
        raise SystemExit(f"{options.batches}: {len(steps)} steps, of which {options.warmup} are warm-up")
    model = build(options.model, options.outputs, options.head, options.method, options.attention,
                  options.rank)
    if options.packed:
        model = PackedBert(model)
    inputs_of = packed if options.packed else padded
    if options.dtype == "bf16-pure":
        model = model.to(torch.bfloat16)
    model.train(not options.eval)
    optimiser = None if options.eval else optimiser_of(model, SETTINGS)
    trained = [p for p in model.parameters() if p.requires_grad]
    call = torch.compile(model, dynamic=True) if options.compile else model
    mixed = (lambda: torch.autocast("cpu", torch.bfloat16)) if options.dtype == "bf16" else contextlib.nullcontext

    def train_step(step):
        inputs, labels = inputs_of(step, options.outputs == 1)
        with mixed():
            loss = loss_of(call(**inputs), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, SETTINGS["clip_norm"])
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss.item()

    def eval_step(step):
        inputs, labels = inputs_of(step, options.outputs == 1)
        with torch.inference_mode(), mixed():
            return loss_of(call(**inputs), labels).item()

    run = eval_step if options.eval else train_step
    seconds, rates, losses = [], [], []
    before = None
    for number, step in enumerate(steps):
        if number == options.warmup:
            before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        losses.append(run(step))
        took = time.perf_counter() - start
        if number >= options.warmup:
            seconds.append(took)
            rates.append(real_tokens(step) / took)
    after = resource.getrusage(resource.RUSAGE_SELF)
    counted = steps[options.warmup:]
    padded_tokens = sum(len(s["input_ids"]) * max(map(len, s["input_ids"])) for s in counted)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    if options.method == "lora":
        import peft
        versions["peft"] = peft.__version__
    print(json.dumps({
        "step_s": statistics.median(seconds), "tokens_per_s": statistics.median(rates),
        "tokens_per_s_total": sum(map(real_tokens, counted)) / sum(seconds),
        "padding": 1 - sum(map(real_tokens, counted)) / padded_tokens, "peak_mib": peak_mib(),
        "minflt_per_step": (after.ru_minflt - before.ru_minflt) / len(counted),
        "system_s": after.ru_stime - before.ru_stime, "user_s": after.ru_utime - before.ru_utime,
        "wall_s": sum(seconds), "steps": len(counted), "loss_first": losses[0], "loss_last": losses[-1],
        "trained": sum(p.numel() for p in trained), "processor": processor(), "versions": versions,
        "settings": {k: v for k, v in vars(options).items() if k not in ("model", "batches")},
        "environment": {k: os.environ[k] for k in ENVIRONMENT if k in os.environ}}))


if __name__ == "__main__":
    main()
