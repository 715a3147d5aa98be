"""Writes a BERT folder with random weights, which both sides read: sizes whose weights nobody has at hand.

  python random_model.py --size base --vocab bert-base-uncased-vocab.txt --out DIR

Sizes are those of `basis bench step --size`. Prints the folder.
"""

import argparse
import json
import os
import shutil
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

# layers, width, heads
SIZES = {"tiny": (2, 128, 2), "mini": (4, 256, 4), "small": (4, 512, 8), "medium": (8, 512, 8), "minilm": (6, 384, 12),
         "base": (12, 768, 12), "large": (24, 1024, 16)}


def make(size, vocab, out, seed=0):
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    layers, width, heads = SIZES[size]
    words = Path(vocab).read_text(encoding="utf-8").split("\n")
    config = BertConfig(vocab_size=len([w for w in words if w]), hidden_size=width, num_hidden_layers=layers,
                        num_attention_heads=heads, intermediate_size=4 * width)
    torch.manual_seed(seed)
    BertModel(config).save_pretrained(out)
    shutil.copyfile(vocab, Path(out) / "vocab.txt")
    (Path(out) / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}), encoding="utf-8")
    # tokenizer.json: transformers 5 does not read vocab.txt by itself.
    from tokenizers import BertWordPieceTokenizer
    fast = BertTokenizerFast(tokenizer_object=BertWordPieceTokenizer(str(vocab), lowercase=True)._tokenizer)
    fast.save_pretrained(out)


def main():
    parser = argparse.ArgumentParser(description="A BERT folder with random weights")
    parser.add_argument("--size", choices=list(SIZES), required=True)
    parser.add_argument("--vocab", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make(options.size, options.vocab, options.out, options.seed)
    print(options.out)


if __name__ == "__main__":
    main()
