"""scripts/check_spectrum.py on what the program writes of tiny models, and on tables that are wrong.

python check_spectrum_test.py BASIS   (the program; exits with 77 where there is no NumPy)
"""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

try:
    import numpy as np
except ImportError:
    print(f"skipped: {sys.executable} has no NumPy; configure with -DPython3_EXECUTABLE of one that has", file=sys.stderr)
    raise SystemExit(77) from None

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "scripts"))
import check_spectrum  # noqa: E402

H, F, LAYERS, VOCABULARY, POSITIONS = 16, 24, 2, 30, 32
QUERY = "encoder.layer.0.attention.self.query.weight"
CONFIG = {"model_type": "bert", "hidden_size": H, "intermediate_size": F, "num_hidden_layers": LAYERS,
          "num_attention_heads": 2, "vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS, "type_vocab_size": 2,
          "hidden_act": "gelu", "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}


def shapes():
    made = {"embeddings.word_embeddings.weight": (VOCABULARY, H), "embeddings.position_embeddings.weight": (POSITIONS, H),
            "embeddings.token_type_embeddings.weight": (2, H)}
    norms, linears = ["embeddings.LayerNorm"], {}
    for layer in range(LAYERS):
        place = f"encoder.layer.{layer}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            linears[f"{place}attention.{name}"] = (H, H)
        linears[place + "intermediate.dense"] = (F, H)
        linears[place + "output.dense"] = (H, F)
        norms += [place + "attention.output.LayerNorm", place + "output.LayerNorm"]
    for name, shape in linears.items():
        made[name + ".weight"], made[name + ".bias"] = shape, shape[:1]
    for name in norms:
        made[name + ".weight"] = made[name + ".bias"] = (H,)
    return made


def random_model(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes().items()}


def changed(model, share, seed):
    rng = np.random.default_rng(seed)
    return {name: (w + share * rng.normal(size=w.shape)).astype(np.float32) for name, w in model.items()}


def stored(array, dtype):
    if dtype == "F32":
        return array.astype("<f4").tobytes()
    return (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()  # BF16, cut


def write_model(folder, model, dtype="F32", prefix=""):
    header, parts, place = {}, [], 0
    for name, array in model.items():
        parts.append(stored(array, dtype))
        header[prefix + name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [place, place + len(parts[-1])]}
        place += len(parts[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
    return folder


def check(*words):
    """Exit status and output of the script."""
    out, error = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "argv", ["check_spectrum.py", *map(str, words)]), contextlib.redirect_stdout(out), \
            contextlib.redirect_stderr(error):
        try:
            status = check_spectrum.main()
        except check_spectrum.Unreadable as problem:
            return 2, str(problem)
    return status, out.getvalue()


def line_of(quantity, text):
    """compared, left out and difference of a quantity."""
    words = next(line for line in text.splitlines() if line.startswith(quantity + " ")).split()
    return int(words[1]), int(words[2]), float(words[3])


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write_rows(self, header, rows):
        path = self.folder / "changed.csv"
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
        return path


class Spectrum(WithFolder):
    def table(self, before, after, *options):
        out = self.folder / "out"
        environment = dict(os.environ, BASIS_CACHE=str(self.folder / "cache"))
        subprocess.run([PROGRAM, "spectrum", before, after, "--out", out, *options], check=True, env=environment,
                       stdout=subprocess.DEVNULL)
        return out / "spectrum.csv"

    def models(self, **options):
        start = random_model(1)
        after = changed(start, 0.02, 2)
        return write_model(self.folder / "before", start), write_model(self.folder / "after", after, **options)

    def test_agrees_with_the_program(self):
        before, after = self.models()
        status, text = check(before, after, self.table(before, after))
        self.assertEqual(status, 0, text)
        for quantity in check_spectrum.SPECTRUM:
            if quantity != "rotation_gaussian":
                self.assertEqual(line_of(quantity, text)[:2], (LAYERS * 6 * 2 * H, 0), text)

    def test_agrees_on_bf16_under_another_prefix_and_without_simulation(self):
        before, after = self.models(dtype="BF16", prefix="bert.")
        status, text = check(before, after, self.table(before, after, "--gaussian-draws", "0"))
        self.assertEqual(status, 0, text)

    def test_finds_one_changed_value_of_each_quantity(self):
        before, after = self.models()
        with open(self.table(before, after), newline="") as file:
            header, *rows = csv.reader(file)
        row = next(i for i, row in enumerate(rows) if row[:3] == [QUERY, "v", "5"])
        for quantity in check_spectrum.SPECTRUM:
            wrong = [list(each) for each in rows]
            column = header.index(quantity)
            wrong[row][column] = repr(float(rows[row][column]) * (1 + 1e-4))
            status, text = check(before, after, self.write_rows(header, wrong))
            self.assertEqual(status, 1, quantity)
            found = "ratio" if quantity == "rotation_gaussian" else quantity  # which is not computed here
            self.assertAlmostEqual(line_of(found, text)[2], 1e-4, delta=2e-6)
            self.assertIn(f"{QUERY} v, k = 5", text)
            self.assertIn(f"above 1e-05: {found}\n", text)
            self.assertEqual(check(before, after, self.write_rows(header, wrong), "--tolerance", "1e-3")[0], 0, quantity)
            wrong[row][column] = ""
            self.assertEqual(check(before, after, self.write_rows(header, wrong))[0], 1, quantity)

    def test_finds_that_the_table_is_of_other_models(self):
        before, after = self.models()
        other = write_model(self.folder / "other", changed(random_model(1), 0.02, 3))
        self.assertEqual(check(before, other, self.table(before, after))[0], 1)

    def test_leaves_out_what_equal_singular_values_leave_undefined(self):
        hadamard = np.array([[1.0]])
        while len(hadamard) < H:
            hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
        sigma = np.arange(2.0 * H, H, -1)
        sigma[4] = sigma[3]  # no basis at k = 4; the numbers are exact in f32
        start = random_model(1)
        start[QUERY] = (hadamard @ np.diag(sigma) @ hadamard[::-1] / H).astype(np.float32)
        before = write_model(self.folder / "before", start)
        after = write_model(self.folder / "after", changed(start, 0.02, 2))
        status, text = check(before, after, self.table(before, after))
        self.assertEqual(status, 0, text)
        for quantity in ("overlap", "rotation", "rotation_expected", "ratio", "energy_core"):
            self.assertEqual(line_of(quantity, text)[1], 2, text)  # k = 4 of both sides
        self.assertEqual(line_of("energy_diagonal", text)[1], 2 * (H - 3), text)  # from the fourth vector on

    def test_of_a_model_that_did_not_change_compares_all_rows_and_still_finds_a_rotation(self):
        before = write_model(self.folder / "before", random_model(1))
        with open(self.table(before, before), newline="") as file:
            header, *rows = csv.reader(file)
        status, text = check(before, before, self.write_rows(header, rows))
        self.assertEqual((status, line_of("rotation", text)[1]), (0, 0), text)
        rows[7][header.index("rotation")] = "1e-15"
        self.assertEqual(check(before, before, self.write_rows(header, rows))[0], 1)

    def test_takes_matrices_evenly_over_the_table(self):
        before, after = self.models()
        status, text = check(before, after, self.table(before, after), "--matrices", "2")
        self.assertEqual(status, 0, text)
        self.assertEqual(line_of("rotation", text)[0], 2 * 2 * H)
        self.assertEqual(check_spectrum.chosen(list("abcdef"), 3), ["a", "c", "f"])

    def test_says_what_it_cannot_read(self):
        before, after = self.models()
        path = self.table(before, after)
        with open(path, newline="") as file:
            header, *rows = csv.reader(file)
        for table, message in ((rows[1:], " u: 15 rows in the table"), (rows[:-1], " v: 15 rows in the table"),
                               (rows[:2] + rows, "changed.csv:4: not numbers"),
                               ([["x", *rows[0][1:]]], "has no x"), ([], "has no rows")):
            status, text = check(before, after, self.write_rows(header, table))
            self.assertEqual(status, 2)
            self.assertIn(message, text)
        self.assertIn("no model.safetensors", check(before, self.folder, path)[1])
        content = (after / "model.safetensors").read_bytes()
        (after / "model.safetensors").write_bytes(content[:len(content) // 4])
        self.assertIn("ends within", check(before, after, path)[1])


def plain_rotation(w, after, side):
    """As docs/methods.md has it: (r)."""
    def basis(matrix):
        return np.linalg.svd(matrix if side == "u" else matrix.T, full_matrices=False)[0]
    u, u_after = basis(w.astype(np.float64)), basis(after.astype(np.float64))
    return [float(np.linalg.norm(u_after[:, :k] - u[:, :k] @ (u[:, :k].T @ u_after[:, :k])) ** 2 / k)
            for k in range(1, u.shape[1] + 1)]


class Sharing(WithFolder):
    HEADER = ["matrix", "side", "k", "co_drift", "rotation_s", "rotation_t", "rotation_st"]

    def setUp(self):
        super().setUp()
        start = random_model(1)
        shared = changed(start, 0.02, 4)
        models = [start, changed(shared, 0.02, 5), changed(shared, 0.02, 6)]
        self.models = [write_model(self.folder / name, model) for name, model in zip(("start", "s", "t"), models)]
        self.rows = []
        for name, shape in shapes().items():
            if not name.startswith("encoder") or len(shape) != 2:
                continue
            w, s, t = (model[name] for model in models)
            for side in "uv":
                turned = zip(plain_rotation(w, s, side), plain_rotation(w, t, side), plain_rotation(s, t, side))
                for k, (to_s, to_t, s_to_t) in enumerate(turned, 1):
                    is_defined = min(to_s, to_t) > 1e-27
                    drift = (to_s + to_t - s_to_t) / (2 * (to_s * to_t) ** 0.5) if is_defined else ""
                    self.rows.append([name, side, k, drift, to_s, to_t, s_to_t])

    def test_agrees_with_the_definitions(self):
        status, text = check("--sharing", *self.models, self.write_rows(self.HEADER, self.rows))
        self.assertEqual(status, 0, text)
        for quantity in check_spectrum.SHARING:
            self.assertEqual(line_of(quantity, text)[:2], (LAYERS * 6 * 2 * H, 0), text)

    def test_finds_one_changed_value_of_each_quantity(self):
        row = next(i for i, row in enumerate(self.rows) if row[:3] == [QUERY, "u", 3])
        for quantity in check_spectrum.SHARING:
            wrong = [list(each) for each in self.rows]
            wrong[row][self.HEADER.index(quantity)] *= 1 + 1e-3
            status, text = check("--sharing", *self.models, self.write_rows(self.HEADER, wrong))
            self.assertEqual(status, 1, quantity)
            self.assertIn(f"above 1e-05: {quantity}\n", text)
            self.assertIn(f"{QUERY} u, k = 3", text)

    def test_takes_a_pair_of_runs_from_a_table_of_many(self):
        start, s, t = (check_spectrum.Model(folder) for folder in self.models)
        header = ["matrix", "side", "k", "relation", "replicate", "first", "second", "co_drift", "rotation_first",
                  "rotation_second", "rotation_between", "cosine"]
        rows = []
        for matrix, side, k, *numbers in self.rows:
            if k not in (2, 8, 16):
                continue
            w = start.matrix(matrix)
            a, b = (s.matrix(matrix) - w).ravel(), (t.matrix(matrix) - w).ravel()
            cosine = a @ b / (a @ a * (b @ b)) ** 0.5
            rows += [[matrix, side, k, "gaussian", 0, "a/full/0", "b/full/1", 0, 1, 1, 1, 0],
                     [matrix, side, k, "tasks", 0, "a/full/0", "b/full/1", *numbers, cosine],
                     [matrix, side, k, "seeds", 0, "a/full/0", "a/full/1", 0, 1, 1, 1, 0]]
        path = self.write_rows(header, rows)
        status, text = check("--sharing", *self.models, path, "--pair", "a/full/0", "b/full/1")
        self.assertEqual(status, 0, text)
        self.assertEqual(line_of("cosine", text)[:2], (LAYERS * 6 * 2 * 3, 0), text)
        self.assertEqual(check("--sharing", *self.models, path, "--pair", "a/full/0", "a/full/1")[0], 1)
        status, text = check("--sharing", *self.models, path)
        self.assertEqual(status, 2)
        self.assertIn("several pairs; choose by --pair FIRST SECOND from\n  a/full/0 b/full/1\n  a/full/0 a/full/1", text)
        rows[1][-1] += 1e-3
        path = self.write_rows(header, rows)
        status, text = check("--sharing", *self.models, path, "--pair", "a/full/0", "b/full/1")
        self.assertEqual(status, 1)
        self.assertIn("above 1e-05: cosine\n", text)

    def test_knows_s_from_t(self):
        start, s, t = self.models
        status, text = check("--sharing", start, t, s, self.write_rows(self.HEADER, self.rows))
        self.assertEqual(status, 1)
        self.assertIn("rotation_s, rotation_t", text)


class Emergence(WithFolder):
    CONFIG = """
name = "e"
[pretrain]
hidden_size = 16
num_attention_heads = 2
intermediate_size = 24
steps = 6
batch_size = 2
learning_rate = 0.01
documents = 50
held_out_documents = 20
evaluate_every = 2
keeps_best = true
snapshots = [{snapshots}]
[emergence]
enabled = true
ranks = [1, 3, 15]
"""

    def table(self, snapshots):
        """The pretrain stage of a run of the program, and the header and rows of its emergence.csv."""
        (self.folder / "e.toml").write_text(self.CONFIG.format(snapshots=snapshots))
        environment = dict(os.environ, BASIS_CACHE=str(self.folder / "cache"))
        subprocess.run([PROGRAM, "run", self.folder / "e.toml", "--out", self.folder / "run"], check=True,
                       env=environment, stdout=subprocess.DEVNULL)
        stages = self.folder / "run" / "stages"
        with open(next(stages.glob("emergence-*")) / "emergence.csv", newline="") as file:
            header, *rows = csv.reader(file)
        return next(stages.glob("pretrain-*")), header, rows

    def test_agrees_with_the_program_and_finds_one_changed_value(self):
        stage, header, rows = self.table("0, 300, 800")
        status, text = check("--emergence", stage, self.write_rows(header, rows))
        self.assertEqual(status, 0, text)
        for quantity in check_spectrum.EMERGENCE:
            self.assertEqual(line_of(quantity, text)[:2], (2 * 6 * 4 * 2 * 3, 0), text)
        row = next(i for i, row in enumerate(rows) if row[0] == "512" and row[2:5] == [QUERY, "v", "3"])
        for quantity in check_spectrum.EMERGENCE:
            wrong = [list(each) for each in rows]
            wrong[row][header.index(quantity)] = float(rows[row][header.index(quantity)]) * (1 + 1e-3)
            status, text = check("--emergence", stage, self.write_rows(header, wrong))
            self.assertEqual(status, 1, quantity)
            self.assertIn(f"above 1e-05: {quantity}\n", text)
            self.assertIn(f"{QUERY} v at 512, k = 3", text)

    def test_wants_empty_fields_where_no_beginning_was_kept(self):
        stage, header, rows = self.table("300")
        status, text = check("--emergence", stage, self.write_rows(header, rows))
        self.assertEqual(status, 0, text)
        rows[0][header.index("overlap_initial")] = 1
        self.assertIn("above 1e-05: overlap_initial\n", check("--emergence", stage, self.write_rows(header, rows))[1])

    def test_says_what_does_not_belong_together(self):
        stage, header, rows = self.table("0")
        some = [row for row in rows if row[0] == "0"]
        status, text = check("--emergence", stage, self.write_rows(header, some))
        self.assertEqual(status, 2)
        self.assertIn("rows at 0 tokens; the pretraining has snapshots at 0, 1536", text)
        status, text = check("--emergence", stage / "model", self.write_rows(header, rows))
        self.assertEqual(status, 2)
        self.assertIn("no snapshots.json", text)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
