"""Writes spectral_reference.safetensors beside it: METHODS 2 by NumPy, each formula as written.

python spectral_make.py   (numpy 1.26 or later, safetensors)
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(20260507)
tensors = {}


def basis_of(w):
    """Leading singular vectors with the sign convention of METHODS 2."""
    u, s, vt = np.linalg.svd(w, full_matrices=False)
    v = vt.T
    rows = np.argmax(np.abs(v), axis=0)
    signs = np.sign(v[rows, np.arange(v.shape[1])])
    return u * signs, s, v * signs


def rotation(u, u_after, k):
    """|| (I - U_k U_k^T) U'_k ||_F^2 / k."""
    first, second = u[:, :k], u_after[:, :k]
    return np.linalg.norm(second - first @ (first.T @ second)) ** 2 / k


def expected(s, d, out, columns, norm, k):
    variance = norm**2 / (out * columns)
    total = 0.0
    for i in range(k):
        for j in range(k, len(s)):
            total += (s[i] ** 2 + s[j] ** 2) / (s[i] ** 2 - s[j] ** 2) ** 2
        total += (d - len(s)) / s[i] ** 2
    return variance / k * total


def angles(u, u_after, k):
    first, second = u[:, :k], u_after[:, :k]
    sines = np.linalg.svd(second - first @ (first.T @ second), compute_uv=False)
    return np.arcsin(np.minimum(sines, 1))


def co_drift(u, u_s, u_t, k):
    to_s, to_t, between = rotation(u, u_s, k), rotation(u, u_t, k), rotation(u_s, u_t, k)
    return (to_s + to_t - between) / (2 * np.sqrt(to_s * to_t))


for case, (out, columns, share) in {
    "square": (12, 12, 0.1),
    "wide": (7, 15, 0.3),
    "tall": (13, 6, 0.02),
    "row": (1, 5, 0.5),
    "column": (6, 1, 0.5),
}.items():
    before = rng.standard_normal((out, columns))
    draw = lambda: before + share * rng.standard_normal((out, columns))
    after, other = draw(), draw()
    change = after - before
    u, s, v = basis_of(before)
    u_after, s_after, v_after = basis_of(after)
    u_other, _, v_other = basis_of(other)
    r = len(s)
    ks = range(1, r + 1)
    norm = np.linalg.norm(change)
    inside = u.T @ change @ v
    products_u, products_v = u.T @ u_after, v.T @ v_after
    joint = products_u * products_v
    moment = rng.standard_normal((columns, columns))
    moment = moment @ moment.T
    spectral_norm = np.linalg.norm(change, 2)
    following = np.append(s_after[1:], 0)
    gap = s - following
    put = {
        "before": before,
        "after": after,
        "other": other,
        "u": u,
        "sigma": s,
        "v": v,
        "sigma_after": s_after,
        "moment": moment,
        "change": [norm / np.linalg.norm(before), norm, spectral_norm],
        "energy_core": [(inside[:k, :k] ** 2).sum() / norm**2 for k in ks],
        "energy_diagonal": [(np.diag(inside)[:k] ** 2).sum() / norm**2 for k in ks],
        "coefficient_shift": np.einsum("oi,oc,ci->i", u, after, v) - s,
        "stability_diagonal": np.diag(joint),
        "stability_matched": [joint[i, : min(2 * (i + 1), r)].max() for i in range(r)],
        "functional": s * np.sqrt(np.einsum("ci,cd,di->i", v, moment, v)),
        "wedin": np.where(gap > spectral_norm, spectral_norm / np.maximum(gap, 1e-300), 1),
    }
    for side, a, b, c, d in ("u", u, u_after, u_other, out), ("v", v, v_after, v_other, columns):
        put |= {
            f"overlap_{side}": [np.linalg.norm(a[:, :k].T @ b[:, :k]) ** 2 / k for k in ks],
            f"rotation_{side}": [rotation(a, b, k) for k in ks],
            f"expected_{side}": [expected(s, d, out, columns, norm, k) for k in ks],
            f"angles_{side}": angles(a, b, min(3, r)),
            f"intruders_{side}": [
                np.mean(np.abs(a.T @ b)[:, : min(10, r)].max(axis=0) < 0.5),
            ],
            f"co_drift_{side}": [co_drift(a, b, c, k) if k < d else 0 for k in ks],
        }
    for name, value in put.items():
        tensors[f"{case}.{name}"] = np.ascontiguousarray(value, dtype=np.float64)

save_file(tensors, pathlib.Path(__file__).parent / "spectral_reference.safetensors")
