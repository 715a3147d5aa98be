#!/usr/bin/env python3
"""Recomputes tables of singular bases from the models' files with NumPy alone, and compares.

    python3 scripts/check_spectrum.py BEFORE AFTER SPECTRUM_CSV
    python3 scripts/check_spectrum.py --sharing START S T SHARING_CSV

The folders are models (config.json, model.safetensors in f64, f32, f16 or bf16); an adapter is merged into one first
("basis merge"). SPECTRUM_CSV is what `basis spectrum BEFORE AFTER` writes, SHARING_CSV a table of
matrix,side,k,co_drift,rotation_s,rotation_t,rotation_st for two models S and T that began at START. Formulas are those
of docs/methods.md, section 2; no code is shared with the program. Prints a line for each quantity and exits with 1
where a difference is above the tolerance, with 2 where a table or model cannot be read.

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
            raise Unreadable(f"{self.path}: {name} is {entry['dtype']} {entry['shape']}; a matrix of {', '.join(self.TYPES)} "
                             "is read")
        count = entry["shape"][0] * entry["shape"][1]
        numbers = np.fromfile(self.path, kind, count, offset=self.begin + entry["data_offsets"][0])
        if numbers.size != count:
            raise Unreadable(f"{self.path}: ends within {name}")
        if entry["dtype"] == "BF16":
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers.astype(np.float64).reshape(entry["shape"])


def read_table(path, quantities):
    """{matrix: {side: {quantity: (r)}}} of a CSV file; an empty field is NaN."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    if not rows:
        raise Unreadable(f"{path}: has no rows")
    missing = [name for name in ("matrix", "side", "k", *quantities) if name not in rows[0]]
    if missing:
        raise Unreadable(f"{path}: has no column {', '.join(missing)}")
    table = {}
    for line, row in enumerate(rows, 2):
        sides = table.setdefault(row["matrix"], {"u": {}, "v": {}})
        try:
            side = sides[row["side"]]
            if int(row["k"]) != len(side.get(quantities[0], ())) + 1:
                raise ValueError
            for name in quantities:
                side.setdefault(name, []).append(float(row[name] or "nan"))
        except (KeyError, TypeError, ValueError):
            raise Unreadable(f"{path}:{line}: not a row of side u or v, its k the next of 1, 2, ... and numbers") from None
    for sides in table.values():
        for side in sides.values():
            for name in side:
                side[name] = np.array(side[name])
    return table


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

    def add(self, place, name, given, computed, counts, scale):
        """Arrays (r). `counts`: the rows that are compared. Differences are relative to `scale`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = np.abs(given - computed) / scale
        difference[given == computed] = 0  # 0 / 0, and infinities
        difference[np.isnan(given) & np.isnan(computed)] = 0
        difference[np.isnan(difference)] = np.inf
        difference = np.where(counts, difference, -1)
        line = self.lines.setdefault(name, {"compared": 0, "left out": 0, "largest": 0.0, "where": ""})
        line["compared"] += int(np.sum(counts))
        line["left out"] += int(np.sum(~counts))
        worst = int(np.argmax(difference))
        if difference[worst] > line["largest"]:
            line["largest"], line["where"] = float(difference[worst]), f"{place}, k = {worst + 1}"

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


def expect_rows(name, sides, r):
    for side, given in sides.items():
        rows = len(next(iter(given.values()), ()))
        if rows != r:
            raise Unreadable(f"{name} {side}: {rows} rows in the table, the matrix has {r} singular values; is the table of "
                             "another model, or cut?")


def compare_spectrum(name, before, after, sides, comparison):
    w0, w1 = before.matrix(name), after.matrix(name)
    if w0.shape != w1.shape:
        raise Unreadable(f"{name}: {w0.shape} before and {w1.shape} after")
    change = w1 - w0
    norm = np.linalg.norm(change)
    first, second = Decomposition(w0), Decomposition(w1)
    r = len(first.sigma)
    expect_rows(name, sides, r)
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
            comparison.add(place, quantity, given[quantity], computed, counts, np.fmax(np.abs(computed), floor))

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


def compare_sharing(name, models, sides, comparison):
    start, s, t = (Decomposition(model.matrix(name)) for model in models)
    expect_rows(name, sides, len(start.sigma))
    for side, given in sides.items():
        place = f"{name} {side}"
        r, turned, floors = len(start.sigma), {}, {}
        for quantity, pair in (("rotation_s", (start, s)), ("rotation_t", (start, t)), ("rotation_st", (s, t))):
            noise = rounding(pair, side)
            turned[quantity] = rotation(*(each.side(side) for each in pair))
            floors[quantity] = comparison.floor(noise)
            comparison.add(place, quantity, given[quantity], turned[quantity], comparison.has_digits(noise * ranks(r)),
                           np.maximum(turned[quantity], floors[quantity]))
        drift, terms = co_drift(turned["rotation_s"], turned["rotation_t"], turned["rotation_st"])
        counts = comparison.has_digits(rounding((start, s, t), side) * ranks(r))
        # Where a rotation is 0 for every pair of bases (k = d) the table's field is empty and counts.
        for quantity in ("rotation_s", "rotation_t"):
            counts &= (turned[quantity] > floors[quantity]) | (turned[quantity] == 0)
        comparison.add(place, "co_drift", given["co_drift"], drift, counts, terms)


def chosen(names, count):
    """`count` of the names, evenly over the list; all for 0."""
    if count <= 0 or count >= len(names):
        return names
    return [names[int(i)] for i in np.linspace(0, len(names) - 1, count)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sharing", action="store_true", help="three models and a table of sharing")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="model folders, then the table")
    parser.add_argument("--matrices", type=int, default=0, metavar="N", help="N matrices, evenly over the table (default: all)")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="of relative differences (default: 1e-5)")
    given = parser.parse_args()
    wanted = 4 if given.sharing else 3
    if len(given.paths) != wanted:
        parser.error(f"{len(given.paths)} paths; give {wanted - 1} model folders and a table")
    if not 0 < given.tolerance < 1:
        parser.error(f"a tolerance of {given.tolerance:g}; give one between 0 and 1")
    return given


def main():
    given = arguments()
    *folders, path = given.paths
    table = read_table(path, SHARING if given.sharing else SPECTRUM)
    models = [Model(folder) for folder in folders]
    comparison = Comparison(given.tolerance)
    names = chosen(list(table), given.matrices)
    for done, name in enumerate(names, 1):
        if sys.stderr.isatty():
            print(f"\r[{done}/{len(names)}] {name}\033[K", end="\n" if done == len(names) else "", file=sys.stderr, flush=True)
        if given.sharing:
            compare_sharing(name, models, table[name], comparison)
        else:
            compare_spectrum(name, *models, table[name], comparison)
    print(f"{len(names)} of {len(table)} matrices of {path}")
    return 0 if comparison.report() else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unreadable as error:
        print(f"check_spectrum.py: {error}", file=sys.stderr)
        sys.exit(2)
