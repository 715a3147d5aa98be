"""Writes every file of this folder that PyTorch computed.

  PYTHONHASHSEED=0 python make_oracle.py [FOLDER]      FOLDER: where to write, this folder by default

Versions and settings stand in each file's metadata. One thread and a fixed hash seed (PEFT writes sets), so that a
second run on the same machine writes the same bytes.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched

import torch

from generate import (adapters, common, curvature, folders, forward, patches, perturbation,  # noqa: E402
                      training)


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    torch.set_num_threads(1)
    common.write_models(folder)
    forward.write_all(folder)
    curvature.write_all(folder)
    training.write_all(folder)
    perturbation.write_all(folder)
    adapters.write_all(folder)
    folders.write_all(folder)
    patches.write_all(folder)


if __name__ == "__main__":
    main()
