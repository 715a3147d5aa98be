"""benchmarks/run.py and its page, without PyTorch and without measuring: rows are stood in for."""

import json
import py_compile
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "benchmarks"))
import report  # noqa: E402
import rows  # noqa: E402
import run  # noqa: E402


def compared(ratio, over_floor=1.2):
    side = {"tokens_per_s": 1000.0, "step_s": 1.0, "floor_s": 1 / over_floor, "step_over_floor": over_floor,
            "peak_mib": 100.0, "minflt_per_step": 3.0, "system_s": 0.1, "gflop": 50.0}
    return {"ours": side | {"tokens_per_s": 1000.0 * ratio}, "peers": {"sdpa": side | {"peak_mib": 500.0}}, "best": "sdpa",
            "ratio": ratio, "ratios": [ratio - 0.1, ratio], "peak_ratio": 0.2, "beside": {}, "failures": {},
            "processor": "a processor", "versions": {"torch": "1"}, "isa": "avx2",
            "roofs": {"roof_f32_gflops": 100.0, "roof_bf16_gflops": 0.0, "roof_copy_gbs": 20.0}}


class Driver(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.calls = []

    def drive(self, made_rows, *words):
        """run.main() over stand-in rows; its exit status."""
        page = Path(self.folder.name) / "page.md"
        line = ["run.py", "--out", self.folder.name, "--page", str(page), *words]
        with mock.patch.object(sys, "argv", line), mock.patch.object(run, "all_rows", lambda: made_rows), \
                mock.patch("builtins.print"):
            return run.main()

    def row(self, name, result=None, error=None, quick=True):
        def measure(machine, say):
            self.calls.append(name)
            if error:
                raise error
            return result or {"x": 1}
        return rows.Row(name, 60, measure, quick=quick)

    def stored(self, name):
        return json.loads((Path(self.folder.name) / "rows" / f"{name}.json").read_text())

    def test_a_finished_row_is_not_measured_again(self):
        both = [self.row("a"), self.row("b")]
        self.assertEqual(self.drive(both), 0)
        self.drive(both)
        self.assertEqual(self.calls, ["a", "b"])
        self.drive(both, "--again", "--only", "b")
        self.assertEqual(self.calls, ["a", "b", "b"])

    def test_a_quick_result_does_not_count_for_a_full_run(self):
        one = [self.row("a"), self.row("slow", quick=False)]
        self.drive(one, "--quick")
        self.assertEqual(self.calls, ["a"])
        self.drive(one)
        self.assertEqual(self.calls, ["a", "a", "slow"])
        self.drive(one, "--quick")
        self.assertEqual(len(self.calls), 3)

    def test_a_row_that_cannot_run_says_why_and_is_tried_again(self):
        one = [self.row("a", error=rows.CannotRun("no bf16 here"))]
        self.drive(one)
        self.assertEqual((self.stored("a")["status"], self.stored("a")["why"]), ("cannot run", "no bf16 here"))
        self.drive(one)
        self.assertEqual(len(self.calls), 2)

    def test_ctrl_c_keeps_what_is_finished(self):
        stopped = [self.row("a"), self.row("b", error=KeyboardInterrupt()), self.row("c")]
        self.assertEqual(self.drive(stopped), 130)
        self.assertEqual(self.calls, ["a", "b"])
        self.assertFalse((Path(self.folder.name) / "rows/b.json").exists())
        self.drive([self.row("a"), self.row("b"), self.row("c")])
        self.assertEqual(self.calls, ["a", "b", "b", "c"])

    def test_lists_and_plans_without_measuring(self):
        for flag in ("--list", "--dry-run"):
            self.assertEqual(self.drive([self.row("a")], flag), 0)
        self.assertEqual(self.calls, [])
        with self.assertRaises(SystemExit):
            self.drive([self.row("a")], "--only", "nothing")

    def test_the_whole_fits_an_hour_and_a_quarter(self):
        every = rows.all_rows()
        self.assertEqual(len({row.name for row in every}), len(every))
        self.assertLess(sum(row.seconds for row in every), 75 * 60)


class Page(unittest.TestCase):
    def write(self, results, before=None):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "page.md"
            if before:
                path.write_text(before, encoding="utf-8")
            report.write_page(path, results, types.SimpleNamespace(threads=2))
            return path.read_text(encoding="utf-8")

    @staticmethod
    def measured(result):
        return {"status": "measured", "date": "2026-01-01", "result": result}

    def test_a_target_stands_beside_what_was_measured(self):
        self.assertEqual(report.against(2.5, 2.4), "**2.50** (≥ 2.4)")
        self.assertEqual(report.against(1.2, 2.4), "1.20 (≥ 2.4, missed by 50%)")
        self.assertEqual(report.against(0.2, 0.25, at_most=True), "**0.20** (≤ 0.25)")
        self.assertEqual(report.against(0.3, 0.25, at_most=True), "0.30 (≤ 0.25, missed by 20%)")
        self.assertEqual(report.against(3.0, None), "3.00")

    def test_shows_results_and_reasons(self):
        with mock.patch.object(report, "has_amx", lambda: False):
            text = self.write({
                "compare/A/minilm/mrpc/full/f32": self.measured(compared(2.0)),
                "compare/A/minilm/mrpc/full/bf16": {"status": "cannot run", "date": "2026-01-01", "why": "no bf16 here"}})
        self.assertIn("| MiniLM full f32 | 2.00 (≥ 2.4, missed by 17%) | not measured (≥ 1.6) | 2.8 | 1.90 to 2.00 "
                      "| 2,000 | 1,000 (sdpa) |", text)
        self.assertIn("| MiniLM full bf16 | no bf16 here (≥ 2.2)", text)
        self.assertIn("| MiniLM full f32 | 1.000 | 0.833 | **1.20** (≤ 1.5) |", text)
        self.assertIn("| MiniLM full f32 | 100 | 500 | **0.20** (≤ 0.28) |", text)
        self.assertIn("a processor", text)

    def test_keeps_the_notes_between_the_marks(self):
        notes = f"{report.NOTES[0]}\nWhere the time goes.\n{report.NOTES[1]}"
        self.assertIn(notes, self.write({}, before=f"# old\n{notes}\nold table"))
        self.assertNotIn("old table", self.write({}, before=f"# old\n{notes}\nold table"))

    def test_the_line_through_linear_steps_has_no_deviation(self):
        seconds = iter([0.1 + 1e-4 * batch for batch in (19, 38, 75, 151)])
        machine = types.SimpleNamespace(
            is_quick=True, threads=2, need_dtype=lambda dtype: None,
            bench=lambda *words: {"tokens": float(words[words.index("--batch") + 1]), "step_s": next(seconds)})
        made = rows.run_linear(machine, lambda line: None, "f32")
        self.assertAlmostEqual(made["a_s"], 0.1)
        self.assertAlmostEqual(made["b_us"], 100)
        self.assertLess(made["worst"], 1e-9)


class Scripts(unittest.TestCase):
    def test_every_script_compiles(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in sorted((ROOT / "benchmarks").rglob("*.py")):
                py_compile.compile(str(path), cfile=str(Path(folder) / "out.pyc"), doraise=True)

    def test_both_sides_get_the_same_head_threads_rank_and_steps(self):
        import argparse
        peers = rows.peers
        options = peers.add_arguments(argparse.ArgumentParser()).parse_args(
            "--model m --glue g --method lora --rank 3 --threads 2 --head mean --dtype bf16".split())
        ours = list(map(str, peers.basis_command(options, "batches", 9, 2)[0]))
        theirs, environment = peers.peer_command(options, "batches", "sdpa", 9, 2)
        theirs = list(map(str, theirs))
        for flag, value in {"--head": "mean", "--threads": "2", "--rank": "3", "--steps": "9", "--warmup": "2",
                            "--batches": "batches", "--model": "m", "--method": "lora", "--dtype": "bf16"}.items():
            for side in (ours, theirs):
                self.assertEqual(side[side.index(flag) + 1], value, flag)
        self.assertEqual(environment["THP_MEM_ALLOC_ENABLE"], "1")
        pure = list(map(str, peers.peer_command(options, "batches", "pure", 9, 2)[0]))
        self.assertEqual(pure[pure.index("--dtype") + 1], "bf16-pure")


if __name__ == "__main__":
    unittest.main()
