"""Loads an adapter folder (ours or PEFT's) in PEFT on its base model and prints logits as JSON lines.

  python check_peft.py BASE ADAPTER [--text ...] [--pairs] [--max-length N] [--expected FILE] [--merged]

Input, output and --expected as in load_in_transformers.py (`basis predict --model BASE --adapter ADAPTER`).
--merged: PEFT merges the adapter into the weights first (`basis merge` gives the same). A tensor of the adapter's
file that PEFT does not take, or one that it wants and does not find, ends the program with its name.
"""

import sys
import warnings
from pathlib import Path

from load_in_transformers import answer, arguments, load_model

from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file


def main():
    parser = arguments("Logits of a base model with an adapter by PEFT")
    parser.add_argument("adapter")
    parser.add_argument("--merged", action="store_true")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*(missing|unexpected) .*keys.*")
        model = PeftModel.from_pretrained(load_model(options.folder), options.adapter).eval()
    stored = load_file(Path(options.adapter) / "adapter_model.safetensors")
    held = get_peft_model_state_dict(model, save_embedding_layers=False)
    if set(stored) != set(held):
        sys.exit(f"{options.adapter}: only in the file: {sorted(set(stored) - set(held))}; "
                 f"only in PEFT's model: {sorted(set(held) - set(stored))}")
    different = [k for k in stored if not stored[k].equal(held[k].to(stored[k].dtype))]
    if different:
        sys.exit(f"{options.adapter}: not taken over: {different}")
    answer(model.merge_and_unload() if options.merged else model, options)


if __name__ == "__main__":
    main()
