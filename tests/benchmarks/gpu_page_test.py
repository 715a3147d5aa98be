"""benchmarks/gpu.py on result files that the test writes."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu  # noqa: E402

GPU = "NVIDIA TEST"


def ours(name, rate, **more):
    result = {"window_tokens_per_s": rate, "processor": GPU + ", compute capability 9.0", "peak_mib": 400.0} | more
    return json.dumps({"name": name, "plain": "", "result": result})


def peer(name, rate, on=GPU, **more):
    return json.dumps({"name": name, "gpu": on, "status": "measured", "tokens_per_s": rate, "peak_mib": 1000.0} | more)


class Page(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, *lines):
        Path(self.folder.name, name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def rows(self):
        return {row.split(" | ")[0].strip("| "): row
                for row in gpu.page(gpu.Results(self.folder.name), 989).split("\n") if row.startswith("| ")}

    def test_nothing_measured_is_not_run(self):
        rows = self.rows()
        self.assertEqual(len(rows), 12)  # the head and eleven targets
        for what, row in rows.items():
            if what != "what":
                self.assertIn("not run", row, what)

    def test_ratios_are_against_the_best_variant_of_the_same_batches(self):
        self.write("benchmarks.jsonl", ours("base_128_random", 1600), ours("base_32", 900), ours("base_32_core", 1800),
                   json.dumps({"name": "start to the end of the first step", "seconds": 1.5}))
        self.write("peers.jsonl", peer("base_128_random-eager-sdpa-pure-full", 500),
                   peer("base_128_random-eager-varlen-pure-full", 1000, peak_mib=800.0),
                   peer("base_32-graphs-sdpa-pure-full", 600), peer("base_32-eager-sdpa-pure-full", 300),
                   peer("base_32-eager-sdpa-pure-lora", 1200),
                   json.dumps({"name": "base_32-compiled-sdpa-pure-full", "status": "not run", "why": "no"}))
        rows = self.rows()
        self.assertIn("| 1.60 |", rows["BERT-base full, bf16, 128 sequences, random order"])
        self.assertIn("varlen", rows["BERT-base full, bf16, 128 sequences, random order"])
        self.assertIn("| 3.00 |", rows["at 32 sequences, against dynamic shapes"])
        self.assertIn("| 1.50 |", rows["at 32 sequences, against reduce-overhead"])
        self.assertIn("| 2.00 |", rows["spectral core step against own full step"])
        self.assertIn("| 1.50, **missed** |", rows["spectral core step against PEFT's LoRA"])
        self.assertIn("| 0.50 |", rows["our memory against max_memory_allocated"])
        self.assertIn("| 1.50 |", rows["process start to the end of the first step, s"])

    def test_utilisation_and_the_slowest_kernel(self):
        self.write("benchmarks.jsonl", ours("base_128_full_length", 1, gflop=9890.0, step_s=0.02, roof_bf16_gflops=700e3))
        kernels = [{"name": name, "GB/s": 1, "of_roof": share} for name, share in
                   (("layer_norm/768/far/bf16", 0.9), ("adamw/22.7M", 0.7), ("layer_norm/768/bf16", 0.2))]
        self.write("kernels.json", json.dumps({"benchmarks": kernels}))
        rows = self.rows()
        self.assertIn("| 0.50 |", rows["FLOP utilisation at 128 x 128, of 989 TFLOP/s"])
        self.assertIn("| 0.71 |", rows["the same, of the measured product rate"])
        self.assertIn("| 0.70, **missed** | adamw/22.7M, of 2", rows["slowest memory-bound kernel, of the copy bandwidth"])

    def test_results_of_two_gpus_are_not_compared(self):
        self.write("benchmarks.jsonl", ours("base_32", 900))
        self.write("peers.jsonl", peer("base_32-eager-sdpa-pure-full", 300, on="ANOTHER"))
        with self.assertRaises(SystemExit):
            gpu.Results(self.folder.name)


if __name__ == "__main__":
    unittest.main()
