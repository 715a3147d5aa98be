"""Curvature Tuning's activation (arXiv 2502.07783) by its formula, and its gradients by automatic differentiation."""

import numpy as np
import torch
import torch.nn.functional as F

from .common import array, write


def activation(x, beta, c):
    """o = 1 - beta + 1e-6; F.softplus(z) is z above 20."""
    o = 1 - beta + 1e-6
    return c * torch.sigmoid(beta * x / o) * x + (1 - c) * o * F.softplus(x / o)


def write_all(folder):
    rng = np.random.default_rng(250)
    # Each beta with each c, a channel each; all numbers are exact in f32. Near 1 the bend is as wide as 1 - beta.
    betas, cs = [0, 0.05, 0.3, 0.64, 0.8, 0.97, 1 - 2.0**-20, 1], [0, 0.25, 0.5, 1]
    grid = np.array([(b, c) for b in betas for c in cs], dtype=np.float32).astype(np.float64)
    rows = rng.standard_normal((24, len(grid))) * np.repeat([2, 2, 2, 10, 0.1, 1e-6], 4)[:, None]
    x, bias, cotangent = (torch.from_numpy(v.astype(np.float32).astype(np.float64))
                          for v in (rows, 0.5 * rng.standard_normal(len(grid)), rng.standard_normal(rows.shape)))
    bias[torch.from_numpy(grid[:, 0] > 0.99)] = 0  # there rows of 1e-6 lie in the narrow bends
    beta, c = (torch.from_numpy(column.copy()) for column in grid.T)
    inputs = {"x": x, "bias": bias, "beta": beta, "c": c}
    for value in inputs.values():
        value.requires_grad_()
    y = activation(inputs["x"] + inputs["bias"], inputs["beta"], inputs["c"])
    y.backward(cotangent)
    write(folder, "curvature",
          {name: array(v) for name, v in inputs.items()} | {"cotangent": array(cotangent), "y": array(y)}
          | {f"grad.{name}": array(v.grad) for name, v in inputs.items()})
