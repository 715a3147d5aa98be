"""Writes the safetensors_*.safetensors files beside it with the reference library.

python safetensors_make.py   (torch 2, safetensors 0.4 or later)
"""

import pathlib

import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
inf, nan = float("inf"), float("nan")

# What a Tensor holds, in the library's own order: our writer gives the same bytes.
save_file(
    {
        "double": torch.tensor([[0.1, -2.5, 1e300]], dtype=torch.float64),
        "float": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 7,
        "int": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
        "scalar": torch.tensor(1.5),
        "bfloat": torch.tensor([1.0, -0.0, inf, 3.140625], dtype=torch.bfloat16),
        'a "ü"\n': torch.tensor([0, 255, 7], dtype=torch.uint8),
        "none": torch.zeros(0, 4, dtype=torch.uint8),
    },
    here / "safetensors_held.safetensors",
    metadata={"format": "pt"},
)

# What needs a conversion or cannot be read.
save_file(
    {
        "half": torch.tensor([1.0, -0.0, 2**-24, 65504.0, inf, -inf, nan], dtype=torch.float16),
        "long": torch.tensor([[0, 1], [-5, 2**31 - 1]], dtype=torch.int64),
        "longer": torch.tensor([1, 2**31], dtype=torch.int64),
        "bool": torch.tensor([True, False]),
        "five": torch.zeros(1, 1, 1, 1, 2),
    },
    here / "safetensors_converted.safetensors",
)
