#!/usr/bin/env python3
"""Recomputes tables of singular bases from the models' files with NumPy alone, and compares.

    python3 scripts/check_spectrum.py BEFORE AFTER SPECTRUM_CSV
    python3 scripts/check_spectrum.py --sharing START S T SHARING_CSV [--pair FIRST SECOND]
    python3 scripts/check_spectrum.py --emergence PRETRAIN_STAGE EMERGENCE_CSV

The folders are models (config.json, model.safetensors in f64, f32, f16 or bf16); an adapter is merged into one first
("basis merge"). SPECTRUM_CSV is what `basis spectrum BEFORE AFTER` writes. SHARING_CSV compares two models S and T that
began at START: a stage's sharing.csv, of which --pair takes the two runs, or a table of one pair with the columns
matrix,side,k,co_drift,rotation_s,rotation_t,rotation_st. PRETRAIN_STAGE is the folder of a pretraining, whose
snapshots EMERGENCE_CSV follows. Formulas are those of docs/methods.md, section 2; no code is
shared with the program. Prints a line for each quantity and exits with 1 where a difference is above the tolerance or a
quantity has no row to compare, with 2 where a table or model cannot be read.

What a row can say depends on the gaps between singular values, and the gaps alone decide which rows count. A
decomposition in f64 is that of a matrix which differs by about s = eps * sigma_1 for each pair of vectors. Put into the
first-order formula, that s gives the rotation at k that rounding alone causes: its noise. Noise times k is a squared
angle.
  - Where the gaps leave an angle above tolerance / 64 (for energy_diagonal: in any vector up to k), the row has no
    digits to compare and is left out.
  - Elsewhere a difference is taken relative to the value, or to 4 * noise / tolerance^2 + 1e-27 / tolerance where the
    value is smaller: below that the noise, or the rounding of products, alone changes it by more than the tolerance.
  - A co-drift counts where both rotations are above that bound, relative to the terms that it is the sum of.
An empty field must be empty here too.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print("check_spectrum.py: this needs NumPy (pip install numpy)", file=sys.stderr)
    raise SystemExit(2) from None

EPSILON = np.finfo(np.float64).eps
ROUNDING_ROTATION = 1e-27  # what products of equal bases leave; the co-drift is not defined below it
WORST_ANGLE = 1 / 64  # of the tolerance


class Unreadable(Exception):
    """What was asked, what is there, what to do."""


# Models and tables

class Model:
    """The matrices of a folder's model.safetensors: a length, a JSON header of that many bytes, the numbers."""

    TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

    def __init__(self, folder):
        self.path = Path(folder) / "model.safetensors"
        if not self.path.is_file():
            raise Unreadable(f"{folder}: no model.safetensors; an adapter is merged by \"basis merge\" first")
        with open(self.path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            try:
                self.header = json.loads(file.read(size))
            except ValueError:
                raise Unreadable(f"{self.path}: no header of safetensors") from None
        self.begin = 8 + size

    def matrix(self, name):
        """(out x in) in f64, by its name in the table or with the prefix of a model with a head."""
        entry = self.header.get(name) or self.header.get("bert." + name)
        if entry is None:
            raise Unreadable(f"{self.path}: has no {name}; is the table of another model?")
        kind = self.TYPES.get(entry["dtype"])
        if kind is None or len(entry["shape"]) != 2:
            raise Unreadable(f"{self.path}: {name} is {entry['dtype']} {entry['shape']}; read are matrices of "
                             f"{', '.join(self.TYPES)}")
        count = entry["shape"][0] * entry["shape"][1]
        numbers = np.fromfile(self.path, kind, count, offset=self.begin + entry["data_offsets"][0])
        if numbers.size != count:
            raise Unreadable(f"{self.path}: ends within {name}")
        if entry["dtype"] == "BF16":
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers.astype(np.float64).reshape(entry["shape"])


def read_rows(path):
    """The rows of a CSV file as dicts, each with its line under "line"."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row | {"line": line} for line, row in enumerate(csv.DictReader(file), 2)]
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    if not rows:
        raise Unreadable(f"{path}: has no rows")
    return rows


def read_table(path, rows, columns):
    """{matrix: {side: {"k": (n), quantity: (n)}}}. columns: {quantity: its column}. An empty field is NaN."""
    missing = [name for name in ("matrix", "side", "k", *columns.values()) if name not in rows[0]]
    if missing:
        raise Unreadable(f"{path}: has no column {', '.join(missing)}")
    table = {}
    for row in rows:
        sides = table.setdefault(row["matrix"], {side: {name: [] for name in ("k", *columns)} for side in "uv"})
        try:
            side = sides[row["side"]]
            k = int(row["k"])
            if k <= (side["k"] or [0])[-1]:
                raise ValueError
            side["k"].append(k)
            for name, column in columns.items():
                side[name].append(float(row[column] or "nan"))
        except (KeyError, TypeError, ValueError):
            raise Unreadable(f"{path}:{row['line']}: not numbers of side u or v with a k above the last one's") from None
    return {matrix: {side: {name: np.array(values) for name, values in of_side.items()} for side, of_side in sides.items()}
            for matrix, sides in table.items()}


def rows_of_pair(path, rows, pair):
    """Those of two runs, where a table has many; Gaussian stand-ins are of no model."""
    if "first" not in rows[0] or "second" not in rows[0]:
        if pair:
            raise Unreadable(f"{path}: has no columns first and second; leave --pair out")
        return rows
    pairs = {}
    for row in rows:
        if row.get("relation") != "gaussian":
            pairs.setdefault((row["first"], row["second"]), []).append(row)
    if not pair and len(pairs) == 1:
        return next(iter(pairs.values()))
    if tuple(pair or ()) not in pairs:
        known = "".join(f"\n  {first} {second}" for first, second in pairs)
        raise Unreadable(f"{path}: {'no such pair' if pair else 'several pairs'}; choose by --pair FIRST SECOND from{known}")
    return pairs[tuple(pair)]


# Quantities of docs/methods.md, section 2. Arrays (r) belong to k = 1 ... r.

class Decomposition:
    def __init__(self, matrix):
        self.u, self.sigma, vt = np.linalg.svd(matrix, full_matrices=False)
        self.v = vt.T

    def side(self, name):
        return self.u if name == "u" else self.v


def crossing(values):
    """(r): for each k the sum over rows i > k and columns j <= k of (r x r). It only adds: small sums keep their digits."""
    below = np.cumsum(np.tril(values, -1)[::-1], axis=0)[::-1]
    sums = np.cumsum(below, axis=1)
    return np.append(np.diagonal(sums, -1), 0.0)


def leading(values):
    """(r): for each k the sum over rows and columns up to k."""
    return np.diagonal(np.cumsum(np.cumsum(values, axis=0), axis=1))


def ranks(r):
    return np.arange(1, r + 1)


def rotation(basis, after):
    """||(I - U_k U_k^T) U'_k||^2 / k: what of U'_k falls on the other columns of U, and outside of them."""
    cosines = basis.T @ after
    r = cosines.shape[0]
    outside = np.zeros(r)
    if basis.shape[0] > r:
        outside = np.sum((after - basis @ cosines) ** 2, axis=0)
    return (crossing(cosines ** 2) + np.cumsum(outside)) / ranks(r)


def overlap(basis, after):
    return leading((basis.T @ after) ** 2) / ranks(basis.shape[1])


def first_order(sigma, d, s):
    """The rotation at k that a change causes whose element for every pair of vectors has standard deviation s."""
    r = len(sigma)
    a, b = sigma[None, :], sigma[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = np.where(a == b, np.inf, (a ** 2 + b ** 2) / ((a - b) * (a + b)) ** 2)
        pairs[np.triu_indices(r)] = 0
        beyond = (d - r) * np.cumsum(1 / sigma ** 2) if d > r else np.zeros(r)
        return s ** 2 / ranks(r) * (crossing(pairs) + beyond) if s > 0 else np.zeros(r)


def ratio(turned, control):
    is_defined = (control > 0) & np.isfinite(control)
    return np.where(is_defined, turned / np.where(is_defined, control, 1), np.nan)


def co_drift(to_s, to_t, s_to_t):
    """The co-drift, and the terms that it is the sum of."""
    drifted = np.minimum(to_s, to_t) > ROUNDING_ROTATION
    scale = 2 * np.sqrt(np.where(drifted, to_s * to_t, 1))
    return np.where(drifted, (to_s + to_t - s_to_t) / scale, np.nan), (to_s + to_t + s_to_t) / scale


def rounding(decompositions, side):
    """The rotation at k that rounding causes in the bases, from their singular values alone."""
    return sum(first_order(each.sigma, each.side(side).shape[0], EPSILON * each.sigma[0]) for each in decompositions)


# Comparison

class Comparison:
    """Of each quantity the rows compared, those left out, and the largest difference."""

    def __init__(self, tolerance):
        self.tolerance = tolerance
        self.lines = {}

    def floor(self, noise):
        return 4 * noise / self.tolerance ** 2 + ROUNDING_ROTATION / self.tolerance

    def has_digits(self, squared_angle):
        return squared_angle <= (WORST_ANGLE * self.tolerance) ** 2

    def add(self, place, quantity, given, computed, counts, scale):
        """given: a side of the table   computed, counts, scale: (r). Differences are relative to `scale`; rows that do not
        count are left out."""
        at = given["k"] - 1
        value, computed, counts, scale = given[quantity], computed[at], counts[at], scale[at]
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = np.abs(value - computed) / scale
        difference[(value == computed) | (np.isnan(value) & np.isnan(computed))] = 0  # 0 / 0, infinities, empty fields
        difference[np.isnan(difference)] = np.inf
        difference = np.where(counts, difference, -1)
        line = self.lines.setdefault(quantity, {"compared": 0, "left out": 0, "largest": 0.0, "where": ""})
        line["compared"] += int(np.sum(counts))
        line["left out"] += int(np.sum(~counts))
        worst = int(np.argmax(difference))
        if difference[worst] > line["largest"]:
            line["largest"], line["where"] = float(difference[worst]), f"{place}, k = {given['k'][worst]}"

    def report(self):
        """Prints the table; whether all is within the tolerance."""
        width = max(len(name) for name in self.lines)
        print(f"{'quantity':<{width}}  compared  left out  largest relative difference")
        for name, line in self.lines.items():
            note = f"  {line['where']}" if line["largest"] > self.tolerance else ""
            print(f"{name:<{width}}  {line['compared']:8}  {line['left out']:8}  {line['largest']:.1e}{note}")
        empty = [name for name, line in self.lines.items() if line["compared"] == 0]
        if empty:
            print(f"nothing compared of {', '.join(empty)}")
        wrong = [name for name, line in self.lines.items() if line["largest"] > self.tolerance]
        print(f"above {self.tolerance:g}: {', '.join(wrong)}" if wrong else f"all within {self.tolerance:g}")
        return not wrong and not empty


SPECTRUM = ("overlap", "rotation", "rotation_gaussian", "rotation_expected", "ratio", "energy_core", "energy_diagonal",
            "change")


def expect_ranks(name, sides, r, all_of_them):
    for side, given in sides.items():
        count = len(given["k"])
        last = given["k"][-1] if count else 0
        if count == 0 or last > r or (all_of_them and count != r):
            raise Unreadable(f"{name} {side}: {count} rows in the table, the last of k = {last}; the matrix has {r} singular "
                             "values. Is the table of another model, or cut?")


def compare_spectrum(name, before, after, sides, comparison):
    w0, w1 = before.matrix(name), after.matrix(name)
    if w0.shape != w1.shape:
        raise Unreadable(f"{name}: {w0.shape} before and {w1.shape} after")
    change = w1 - w0
    norm = np.linalg.norm(change)
    first, second = Decomposition(w0), Decomposition(w1)
    r = len(first.sigma)
    expect_ranks(name, sides, r, all_of_them=True)
    inside = first.u.T @ change @ first.v / (norm if norm > 0 else 1)
    core, diagonal = leading(inside ** 2), np.cumsum(np.diagonal(inside) ** 2)
    noise = {side: rounding((first, second), side) for side in "uv"}
    angles = {side: noise[side] * ranks(r) for side in "uv"}  # squared
    both = angles["u"] + angles["v"]
    each = np.cumsum(both + np.append(0, both[:-1]))  # of every vector up to k: its boundaries on both sides
    for side, given in sides.items():
        place = f"{name} {side}"
        d = first.side(side).shape[0]
        floor, counts = comparison.floor(noise[side]), comparison.has_digits(angles[side])
        turned = rotation(first.side(side), second.side(side))
        expected = first_order(first.sigma, d, norm / np.sqrt(w0.size))
        control = given["rotation_gaussian"]
        if np.all(np.isnan(control)):  # the table was made without simulation
            control = np.minimum(expected, 1 - ranks(r) / d)
        kept = overlap(first.side(side), second.side(side))
        quotient, quotient_floor = ratio(turned, control), ratio(floor, control)

        def add(quantity, computed, counts, floor=0.0):
            comparison.add(place, quantity, given, computed, counts, np.fmax(np.abs(computed), floor))

        add("overlap", kept, counts, floor)
        add("rotation", turned, counts, floor)
        add("rotation_expected", expected, counts)
        add("ratio", quotient, counts, quotient_floor)
        # A share moves by its own root times the angles of both sides.
        add("energy_core", core, comparison.has_digits(both), comparison.floor(4 * both))
        add("energy_diagonal", diagonal, comparison.has_digits(each), comparison.floor(4 * each))
        size = np.linalg.norm(w0)
        add("change", np.full(r, norm / size if size > 0 else 0), np.ones(r, bool))


SHARING = ("co_drift", "rotation_s", "rotation_t", "rotation_st")
OF_PAIRS = {"co_drift": "co_drift", "rotation_s": "rotation_first", "rotation_t": "rotation_second",
            "rotation_st": "rotation_between", "cosine": "cosine"}


def cosine(a, b):
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return np.sum(a * b) / norms if norms > 0 else np.nan


def compare_sharing(name, models, sides, comparison):
    weights = [model.matrix(name) for model in models]
    if len({weight.shape for weight in weights}) > 1:
        raise Unreadable(f"{name}: {', '.join(str(weight.shape) for weight in weights)} in the three models")
    start, s, t = map(Decomposition, weights)
    r = len(start.sigma)
    expect_ranks(name, sides, r, all_of_them=False)
    for side, given in sides.items():
        place = f"{name} {side}"
        turned, floors = {}, {}
        for quantity, pair in (("rotation_s", (start, s)), ("rotation_t", (start, t)), ("rotation_st", (s, t))):
            noise = rounding(pair, side)
            turned[quantity] = rotation(*(each.side(side) for each in pair))
            floors[quantity] = comparison.floor(noise)
            comparison.add(place, quantity, given, turned[quantity], comparison.has_digits(noise * ranks(r)),
                           np.maximum(turned[quantity], floors[quantity]))
        drift, terms = co_drift(turned["rotation_s"], turned["rotation_t"], turned["rotation_st"])
        counts = comparison.has_digits(rounding((start, s, t), side) * ranks(r))
        # Where a rotation is 0 for every pair of bases (k = d) the table's field is empty and counts.
        for quantity in ("rotation_s", "rotation_t"):
            counts &= (turned[quantity] > floors[quantity]) | (turned[quantity] == 0)
        comparison.add(place, "co_drift", given, drift, counts, terms)
        if "cosine" in given:  # relative to 1
            of_changes = cosine(weights[1] - weights[0], weights[2] - weights[0])
            comparison.add(place, "cosine", given, np.full(r, of_changes), np.ones(r, bool), np.ones(r))


EMERGENCE = ("overlap_final", "overlap_initial", "chance", "change_to_final")


class Pretraining:
    """The snapshots of a pretrain stage in order of tokens, the final model last; the best one is no moment of its own."""

    def __init__(self, folder):
        path = Path(folder) / "snapshots.json"
        try:
            listed = json.loads(path.read_text(encoding="utf-8"))["snapshots"]
            named = {each["name"]: each["tokens"] for each in listed}
            end = named["final"]
        except (OSError, ValueError, KeyError, TypeError):
            raise Unreadable(f"{folder}: no snapshots.json that lists a final model; give the folder of a pretraining "
                             "that has finished") from None
        self.models = {tokens: Model(Path(folder) / f"model-{name}") for name, tokens in named.items()
                       if name not in ("final", "best") and tokens < end}
        self.models = dict(sorted(self.models.items())) | {end: Model(Path(folder) / "model")}


def tables_by_tokens(path, rows, pretraining):
    """{tokens: table}. Every snapshot must have its rows, and every row its snapshot."""
    by_tokens = {}
    for row in rows:
        by_tokens.setdefault(row.get("tokens"), []).append(row)
    known = {str(tokens) for tokens in pretraining.models}
    if set(by_tokens) != known:
        raise Unreadable(f"{path}: rows at {', '.join(map(str, by_tokens))} tokens; the pretraining has snapshots at "
                         f"{', '.join(sorted(known, key=int))}")
    columns = {name: name for name in EMERGENCE}
    return {int(tokens): read_table(path, of_moment, columns) for tokens, of_moment in by_tokens.items()}


def compare_emergence(name, pretraining, tables, comparison):
    weights = {tokens: model.matrix(name) for tokens, model in pretraining.models.items()}
    moments = {tokens: Decomposition(weight) for tokens, weight in weights.items()}
    end = list(moments)[-1]
    r = len(moments[end].sigma)
    for tokens, moment in moments.items():
        if name not in tables[tokens]:
            raise Unreadable(f"{name}: no rows at {tokens} tokens")
        sides = tables[tokens][name]
        expect_ranks(name, sides, r, all_of_them=False)
        change = np.linalg.norm(weights[tokens] - weights[end]) / np.linalg.norm(weights[end])
        for side, given in sides.items():
            place = f"{name} {side} at {tokens}"
            for quantity, other in (("overlap_final", moments[end]), ("overlap_initial", moments.get(0))):
                if other is None:  # the fields must be empty
                    comparison.add(place, quantity, given, np.full(r, np.nan), np.ones(r, bool), np.ones(r))
                    continue
                noise = rounding((moment, other), side)
                kept = overlap(other.side(side), moment.side(side))
                # The same decomposition twice has no noise between its copies.
                counts = comparison.has_digits(noise * ranks(r)) | (moment is other)
                comparison.add(place, quantity, given, kept, counts, np.fmax(kept, comparison.floor(noise)))
            comparison.add(place, "chance", given, ranks(r) / moment.side(side).shape[0], np.ones(r, bool), np.ones(r))
            comparison.add(place, "change_to_final", given, np.full(r, change), np.ones(r, bool), np.full(r, change or 1))


def chosen(names, count):
    """`count` of the names, evenly over the list; all for 0."""
    if count <= 0 or count >= len(names):
        return names
    return [names[int(i)] for i in np.linspace(0, len(names) - 1, count)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--sharing", action="store_true", help="three models and a table of sharing")
    kind.add_argument("--emergence", action="store_true", help="a pretrain stage and its table of emergence")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="model folders, then the table")
    parser.add_argument("--pair", nargs=2, metavar=("FIRST", "SECOND"),
                        help="which runs of a table of many S and T are, as its columns first and second name them")
    parser.add_argument("--matrices", type=int, default=0, metavar="N",
                        help="N matrices, evenly over the table (default: all)")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="of relative differences (default: 1e-5)")
    given = parser.parse_args()
    wanted = 4 if given.sharing else 2 if given.emergence else 3
    if len(given.paths) != wanted:
        folders = "the folder of a pretrain stage" if given.emergence else f"{wanted - 1} model folders"
        parser.error(f"{len(given.paths)} paths; give {folders} and a table")
    if not 0 < given.tolerance < 1:
        parser.error(f"a tolerance of {given.tolerance:g}; give one between 0 and 1")
    return given


def comparer(given, folders, path, rows):
    """The names of the table's matrices, and what compares one of them."""
    if given.emergence:
        pretraining = Pretraining(*folders)
        tables = tables_by_tokens(path, rows, pretraining)
        names = list(next(iter(tables.values())))
        return names, lambda name, comparison: compare_emergence(name, pretraining, tables, comparison)
    columns = {name: name for name in (SHARING if given.sharing else SPECTRUM)}
    if given.sharing:
        rows = rows_of_pair(path, rows, given.pair)
        columns = OF_PAIRS if "rotation_first" in rows[0] else columns
    table = read_table(path, rows, columns)
    models = [Model(folder) for folder in folders]
    if given.sharing:
        return list(table), lambda name, comparison: compare_sharing(name, models, table[name], comparison)
    return list(table), lambda name, comparison: compare_spectrum(name, *models, table[name], comparison)


def main():
    given = arguments()
    *folders, path = given.paths
    all_names, compare = comparer(given, folders, path, read_rows(path))
    comparison = Comparison(given.tolerance)
    names = chosen(all_names, given.matrices)
    for done, name in enumerate(names, 1):
        if sys.stderr.isatty():
            end = "\n" if done == len(names) else ""
            print(f"\r[{done}/{len(names)}] {name}\033[K", end=end, file=sys.stderr, flush=True)
        compare(name, comparison)
    print(f"{len(names)} of {len(all_names)} matrices of {path}")
    return 0 if comparison.report() else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unreadable as error:
        print(f"check_spectrum.py: {error}", file=sys.stderr)
        sys.exit(2)
