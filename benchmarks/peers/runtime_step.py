"""Measures ONNX Runtime's or OpenVINO's forward pass on a batches file, in one process. Prints one JSON line, as
pytorch_step.py does.

  python runtime_step.py --runtime onnxruntime|openvino --model DIR --batches FILE [--outputs 2] [--head pooler|mean]
                         [--dtype f32|bf16] [--threads N] [--steps N] [--warmup 3]

The model is exported from PyTorch first, for any batch and length; that is not timed. bf16 is OpenVINO's own option;
ONNX Runtime's CPU provider has none.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")

import torch  # noqa: E402

import batches as batch_files  # noqa: E402
from pytorch_step import peak_mib, processor  # noqa: E402
from training import build, padded, real_tokens  # noqa: E402

NAMES = ["input_ids", "attention_mask", "token_type_ids"]


class Ordered(torch.nn.Module):
    """Positional inputs, as an exporter wants them."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)


def onnx_runner(model, example, options, folder):
    import onnxruntime

    path = str(Path(folder) / "model.onnx")
    axes = {name: {0: "batch", 1: "length"} for name in NAMES}
    torch.onnx.export(model, example, path, input_names=NAMES, output_names=["logits"], dynamic_axes=axes,
                      opset_version=17, dynamo=False)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, {name: inputs[name].numpy() for name in NAMES})[0]


def openvino_runner(model, example, options, folder):
    import openvino

    converted = openvino.convert_model(model, example_input=example, input=[(name, [-1, -1]) for name in NAMES])
    compiled = openvino.Core().compile_model(converted, "CPU", {
        "INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if options.dtype == "bf16" else "f32"})
    return lambda inputs: compiled([inputs[name].numpy() for name in NAMES])[0]


def main():
    parser = argparse.ArgumentParser(description="A runtime's forward pass on a batches file")
    parser.add_argument("--runtime", choices=["onnxruntime", "openvino"], required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batches", required=True)
    parser.add_argument("--outputs", type=int, default=2)
    parser.add_argument("--head", choices=["pooler", "mean"], default="pooler")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int)
    parser.add_argument("--warmup", type=int, default=3)
    options = parser.parse_args()
    if options.runtime == "onnxruntime" and options.dtype == "bf16":
        raise SystemExit("ONNX Runtime's CPU provider does not compute BERT in bf16")
    torch.set_num_threads(options.threads)
    steps = batch_files.read(options.batches)[: options.steps]
    # Eager attention: exporters meet plain operations.
    model = Ordered(build(options.model, options.outputs, options.head, attention="eager")).eval()
    example = tuple(padded(steps[0])[0][name] for name in NAMES)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode(False), torch.no_grad():
        expected = model(*example)
        make = onnx_runner if options.runtime == "onnxruntime" else openvino_runner
        run = make(model, example, options, folder)
        seconds, rates = [], []
        for number, step in enumerate(steps):
            start = time.perf_counter()
            logits = run(padded(step)[0])
            took = time.perf_counter() - start
            if number == 0:
                worst = (torch.as_tensor(logits).float() - expected).abs().max().item()
            if number >= options.warmup:
                seconds.append(took)
                rates.append(real_tokens(step) / took)
    versions = {name: importlib.metadata.version(name) for name in ("torch", options.runtime)}
    print(json.dumps({"step_s": statistics.median(seconds), "tokens_per_s": statistics.median(rates),
                      "peak_mib": peak_mib(), "steps": len(seconds), "largest_difference": worst,
                      "processor": processor(), "versions": versions}))


if __name__ == "__main__":
    main()
