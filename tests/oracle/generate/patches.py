"""A tiny vision transformer: BERT on patches of images in place of words. One forward and backward pass.

  PYTHONHASHSEED=0 python -m generate.patches [FOLDER]      these files alone
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn
from transformers import BertConfig, BertModel

from .common import array, f32, fill, gradients, write

PATCH = 3  # pixels a side
SIZES = dict(hidden_size=22, num_attention_heads=2, num_hidden_layers=2, intermediate_size=37,
             max_position_embeddings=13, hidden_act="gelu")
# Images of several sizes, so that positions and pooling are told apart.
LENGTHS = [6, 13, 1, 4, 6]


class PatchClassifier(nn.Module):
    """layer_norm(W pixels + b + position), BERT's encoder, the mean over an image's patches, one linear layer."""

    def __init__(self, outputs):
        super().__init__()
        config = BertConfig(vocab_size=1, type_vocab_size=1, layer_norm_eps=1e-12, hidden_dropout_prob=0.0,
                            attention_probs_dropout_prob=0.0, attn_implementation="eager", **SIZES)
        self.bert = BertModel(config, add_pooling_layer=False)
        embeddings = self.bert.embeddings
        embeddings.patch_embeddings = nn.Module()
        embeddings.patch_embeddings.projection = nn.Linear(PATCH * PATCH, SIZES["hidden_size"])
        self.classifier = nn.Linear(SIZES["hidden_size"], outputs)
        fill(self, np.random.default_rng(300))
        # What transformers adds besides and a model of patches does not have.
        for table in (embeddings.word_embeddings, embeddings.token_type_embeddings):
            table.requires_grad_(False)
            table.weight.zero_()

    def kept(self):
        return {n: p for n, p in sorted(self.named_parameters()) if p.requires_grad}

    def forward(self, patches, mask):
        embedded = self.bert.embeddings.patch_embeddings.projection(patches)
        hidden = self.bert(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        weights = mask[..., None].to(hidden.dtype)
        return self.classifier((hidden * weights).sum(1) / weights.sum(1))


def write_model(folder, model):
    target = folder / "models" / "patches"
    target.mkdir(parents=True, exist_ok=True)
    text = {"architectures": ["BertModel"], "model_type": "bert", "basis_patch_size": PATCH, "vocab_size": 0,
            "type_vocab_size": 0, "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0, "pad_token_id": 0} | SIZES
    (target / "config.json").write_text(json.dumps(text, indent=2) + "\n")
    save_file({k: f32(v) for k, v in model.kept().items() if k.startswith("bert.")}, target / "model.safetensors",
              metadata={"format": "pt"})


def write_all(folder):
    model = PatchClassifier(3)
    write_model(folder, model)
    head = {k: f32(v) for k, v in model.kept().items() if k.startswith("classifier.")}
    model.double()
    rng = np.random.default_rng(301)
    width = max(LENGTHS)
    pixels = torch.zeros(len(LENGTHS), width, PATCH * PATCH, dtype=torch.float64)
    mask = torch.zeros(len(LENGTHS), width, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        pixels[row, :length] = torch.from_numpy(rng.standard_normal((length, PATCH * PATCH)).astype(np.float32))
        mask[row, :length] = 1
    pixels.requires_grad_()
    labels = rng.integers(0, 3, len(LENGTHS))
    logits = model(pixels, mask)
    loss = F.cross_entropy(logits, torch.from_numpy(labels))
    loss.backward()

    def pack(padded):
        return torch.cat([padded[row, :length] for row, length in enumerate(LENGTHS)])

    write(folder, "forward/patches_mean",
          {"patches": f32(pack(pixels)), "patches.grad": array(pack(pixels.grad)),
           "offsets": np.concatenate([[0], np.cumsum(LENGTHS)]).astype(np.int32),
           "labels": labels.astype(np.int32), "logits": array(logits), "loss": array(loss)}
          | head | gradients(model), model="patches", head="mean", loss="cross_entropy")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
