"""Tiny BERTs, packed batches and the files that hold results.

Layout of every file: README.md beside make_oracle.py.
"""

import json
import platform
from pathlib import Path

import numpy as np
import peft
import torch
import transformers
from safetensors.numpy import load_file, save_file
from torch import nn
from transformers import BertConfig, BertModel

FIRST_WORD = 5  # ids below are [PAD] [UNK] [CLS] [SEP] [MASK]
CLS, SEP, MASK = 2, 3, 4

# Sizes are odd on purpose: no width is a multiple of a vector, and no two axes are equal.
CONFIGS = {
    "gelu": dict(hidden_size=24, num_attention_heads=3, num_hidden_layers=2, intermediate_size=40,
                 vocab_size=61, max_position_embeddings=512, hidden_act="gelu"),
    "gelu_new": dict(hidden_size=30, num_attention_heads=5, num_hidden_layers=2, intermediate_size=47,
                     vocab_size=97, max_position_embeddings=40, hidden_act="gelu_new"),
    "relu": dict(hidden_size=18, num_attention_heads=2, num_hidden_layers=3, intermediate_size=31,
                 vocab_size=53, max_position_embeddings=40, hidden_act="relu"),
}


def bert_config(name, **more):
    """Hugging Face's config of one of the tiny models, dropout 0."""
    return BertConfig(type_vocab_size=2, layer_norm_eps=1e-12, hidden_dropout_prob=0.0,
                      attention_probs_dropout_prob=0.0, attn_implementation="eager",
                      **CONFIGS[name], **more)


def draw(rng, name, shape):
    """A start for one parameter, exact in f32. Scales are those of a trained net: attention is far from uniform."""
    values = rng.standard_normal(shape)
    if "LayerNorm.weight" in name:
        values = 1 + 0.2 * values
    elif name.endswith("bias"):
        values = 0.2 * values
    elif "embeddings" in name:
        values = 0.5 * values
    else:
        values = values * (1.2 / np.sqrt(shape[-1]))
    return values.astype(np.float32)


def fill(module, rng, only=lambda name: True):
    """Sets parameters in order of their names, so that the draw does not depend on the order of creation."""
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            if only(name):
                parameter.copy_(torch.from_numpy(draw(rng, name, tuple(parameter.shape))))


class MeanPoolClassifier(nn.Module):
    """Basis' own head: the mean over a sequence's tokens, [CLS] and [SEP] included, and one linear layer."""

    def __init__(self, config, outputs):
        super().__init__()
        self.config = config
        self.bert = BertModel(config, add_pooling_layer=False)
        self.classifier = nn.Linear(config.hidden_size, outputs)

    def forward(self, input_ids, attention_mask, token_type_ids):
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask,
                           token_type_ids=token_type_ids).last_hidden_state
        mask = attention_mask[..., None].to(hidden.dtype)
        return self.classifier((hidden * mask).sum(1) / mask.sum(1))


def with_encoder(folder, name, model):
    """Loads models/NAME into `model.bert` (the pooler only where there is one) and turns everything to f64."""
    stored = {k: torch.from_numpy(v) for k, v in load_file(folder / "models" / name / "model.safetensors").items()}
    wanted = {k: v for k, v in stored.items() if not k.startswith("bert.pooler") or model.bert.pooler is not None}
    missing, unexpected = model.load_state_dict(wanted, strict=False)
    assert not unexpected and not [m for m in missing if m.startswith("bert.") and "position_ids" not in m]
    return model.double()


def mean_pool_model(folder, name, outputs, seed):
    """A tiny encoder with a mean-pooling head drawn from `seed`, in f64."""
    model = MeanPoolClassifier(bert_config(name), outputs)
    fill(model, np.random.default_rng(seed), only=lambda n: n.startswith("classifier"))
    return with_encoder(folder, name, model)


class Batch:
    """Sequences without padding; `lengths` negative: a pair, cut in two at a third."""

    def __init__(self, rng, vocabulary, lengths):
        self.sequences, self.types = [], []
        for length in lengths:
            is_pair, length = length < 0, abs(length)
            ids = rng.integers(FIRST_WORD, vocabulary, length)
            types = np.zeros(length, np.int64)
            ids[0] = CLS
            if length > 1:
                ids[-1] = SEP
            if is_pair:
                cut = max(1, length // 3)
                ids[cut] = SEP
                types[cut + 1:] = 1
            self.sequences.append(ids)
            self.types.append(types)

    def __len__(self):
        return len(self.sequences)

    def rows(self, first, last):
        part = object.__new__(Batch)
        part.sequences, part.types = self.sequences[first:last], self.types[first:last]
        return part

    def packed(self, prefix=""):
        """What the C++ side reads: ids and types of all tokens in a row, and where sequences begin."""
        lengths = [len(s) for s in self.sequences]
        return {prefix + "input_ids": np.concatenate(self.sequences).astype(np.int32),
                prefix + "token_type_ids": np.concatenate(self.types).astype(np.int32),
                prefix + "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)}

    def padded(self):
        """What transformers reads."""
        width = max(len(s) for s in self.sequences)
        ids = torch.zeros(len(self), width, dtype=torch.long)
        types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
        for row, (sequence, kinds) in enumerate(zip(self.sequences, self.types)):
            ids[row, : len(sequence)] = torch.from_numpy(sequence)
            types[row, : len(sequence)] = torch.from_numpy(kinds)
            mask[row, : len(sequence)] = 1
        return dict(input_ids=ids, attention_mask=mask, token_type_ids=types)

    def pack(self, padded):
        """(B, L, H) of transformers to (T, H)."""
        return torch.cat([padded[row, : len(s)] for row, s in enumerate(self.sequences)])


def array(tensor, dtype=np.float64):
    return np.ascontiguousarray(np.atleast_1d(tensor.detach().numpy()).astype(dtype))


def f32(tensor):
    """A start as f32; it must lose nothing."""
    values = array(tensor)
    assert (values.astype(np.float32) == values).all()
    return values.astype(np.float32)


def gradients(model):
    """Every gradient under the parameter's Hugging Face name; a tied parameter stands once."""
    return {f"grad.{name}": array(p.grad) for name, p in model.named_parameters() if p.grad is not None}


def write(folder, name, tensors, **metadata):
    """One file of results; settings and versions stand in the metadata's one value, a JSON text."""
    path = Path(folder) / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"format": "basis-oracle-1", "command": "PYTHONHASHSEED=0 python make_oracle.py",
             "versions": {"python": platform.python_version(), "torch": torch.__version__.split("+")[0],
                          "transformers": transformers.__version__, "peft": peft.__version__,
                          "numpy": np.__version__}} | metadata
    # One key only: safetensors writes several in an order that changes from run to run.
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path,
              metadata={"oracle": json.dumps(about, sort_keys=True)})


def write_models(folder):
    """models/NAME: config.json and an encoder with pooler, Hugging Face names, f32."""
    for number, name in enumerate(CONFIGS):
        config = bert_config(name)
        model = nn.Module()
        model.bert = BertModel(config)
        fill(model, np.random.default_rng(100 + number))
        target = folder / "models" / name
        target.mkdir(parents=True, exist_ok=True)
        kept = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
                "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_dropout_prob",
                "attention_probs_dropout_prob", "vocab_size", "pad_token_id")
        text = {"architectures": ["BertModel"], "model_type": "bert"} | {k: getattr(config, k) for k in kept}
        (target / "config.json").write_text(json.dumps(text, indent=2) + "\n")
        save_file({k: f32(v) for k, v in sorted(model.named_parameters())}, target / "model.safetensors",
                  metadata={"format": "pt"})
