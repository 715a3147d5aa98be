"""One forward and backward pass: heads, losses, every gradient."""

import numpy as np
import torch
import torch.nn.functional as F
from transformers import BertForMaskedLM, BertForSequenceClassification

from .common import CONFIGS, FIRST_WORD, MASK, Batch, array, bert_config, f32, fill, gradients, mean_pool_model
from .common import with_encoder, write

# Length 1 is [CLS] alone, 2 is [CLS][SEP]; negative: a pair.
LENGTHS = [1, 7, -13, 2, 3, -5, 40, 11]


def head_weights(model):
    return {name: f32(p) for name, p in model.named_parameters() if not name.startswith("bert.")}


def hidden_states(model, batch, dtype):
    states = model.bert(**batch.padded(), output_hidden_states=True).hidden_states
    return {f"hidden.{layer}": array(batch.pack(h), dtype) for layer, h in enumerate(states)}


def pooler(folder, name, lengths, case, dtype):
    """BertForSequenceClassification: pooler, three classes."""
    rng = np.random.default_rng(200)
    model = BertForSequenceClassification(bert_config(name, num_labels=3, classifier_dropout=0.0))
    fill(model, rng, only=lambda n: n.startswith("classifier"))
    with_encoder(folder, name, model)
    batch = Batch(rng, CONFIGS[name]["vocab_size"], lengths)
    labels = rng.integers(0, 3, len(batch))
    out = model(**batch.padded(), labels=torch.from_numpy(labels))
    out.loss.backward()
    write(folder, f"forward/{name}_{case}",
          batch.packed() | {"labels": labels.astype(np.int32), "logits": array(out.logits), "loss": array(out.loss)}
          | head_weights(model) | hidden_states(model, batch, dtype) | gradients(model),
          model=name, head="pooler", loss="cross_entropy")


def mean_classes(folder, name):
    rng = np.random.default_rng(210)
    model = mean_pool_model(folder, name, 3, seed=211)
    batch = Batch(rng, CONFIGS[name]["vocab_size"], LENGTHS)
    labels = rng.integers(0, 3, len(batch))
    logits = model(**batch.padded())
    loss = F.cross_entropy(logits, torch.from_numpy(labels))
    loss.backward()
    write(folder, f"forward/{name}_mean",
          batch.packed() | {"labels": labels.astype(np.int32), "logits": array(logits), "loss": array(loss)}
          | head_weights(model) | gradients(model), model=name, head="mean", loss="cross_entropy")


def mean_regression(folder, name):
    rng = np.random.default_rng(220)
    model = mean_pool_model(folder, name, 1, seed=221)
    batch = Batch(rng, CONFIGS[name]["vocab_size"], LENGTHS)
    targets = rng.uniform(0, 5, len(batch))
    logits = model(**batch.padded())
    loss = F.mse_loss(logits.squeeze(-1), torch.from_numpy(targets))
    loss.backward()
    write(folder, f"forward/{name}_regression",
          batch.packed() | {"targets": targets, "logits": array(logits), "loss": array(loss)}
          | head_weights(model) | gradients(model), model=name, head="mean", loss="mean_squared_error")


def masked_language_model(folder, name):
    """BertForMaskedLM: decoder tied to the word embedding, whose gradient holds both uses."""
    rng = np.random.default_rng(230)
    model = BertForMaskedLM(bert_config(name))
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    fill(model, rng, only=lambda n: n.startswith("cls."))
    with_encoder(folder, name, model)
    vocabulary = CONFIGS[name]["vocab_size"]
    batch = Batch(rng, vocabulary, [9, -17, 3, 1, 22])
    labels = []
    for ids in batch.sequences:
        chosen = (ids >= FIRST_WORD) & (rng.random(len(ids)) < 0.4)
        labels.append(np.where(chosen, ids, -100))
        ids[chosen & (rng.random(len(ids)) < 0.8)] = MASK
    packed_labels = np.concatenate(labels)
    rows = np.flatnonzero(packed_labels >= 0)
    assert len(rows) > 5
    logits = batch.pack(model(**batch.padded()).logits)[rows]
    loss = F.cross_entropy(logits, torch.from_numpy(packed_labels[rows]))
    loss.backward()
    write(folder, f"forward/{name}_mlm",
          batch.packed() | {"labels": packed_labels.astype(np.int32), "masked_rows": rows.astype(np.int32),
                            "logits": array(logits), "loss": array(loss)}
          | head_weights(model) | gradients(model), model=name, head="mlm", loss="cross_entropy")


def functions(folder):
    """Values and derivatives of single functions, where an error would hide in a whole model."""
    x = torch.cat([torch.linspace(-12, 12, 97, dtype=torch.float64),
                   torch.tensor([0.0, -0.0, 1e-20, -1e-20, 1e-4, -1e-4, 40.0, -40.0], dtype=torch.float64)])
    tensors = {"x": array(x)}
    for name, function in {"gelu": F.gelu, "gelu_tanh": lambda v: F.gelu(v, approximate="tanh"),
                           "relu": F.relu, "tanh": torch.tanh}.items():
        at = x.clone().requires_grad_()
        y = function(at)
        (slope,) = torch.autograd.grad(y.sum(), at)
        tensors |= {name: array(y), f"{name}.derivative": array(slope)}

    # Cross-entropy with ignored rows, with rows that would overflow exp, and shifted by a large constant.
    rng = np.random.default_rng(240)
    logits = torch.from_numpy(rng.standard_normal((9, 7)) * 3)
    logits[3] *= 300
    logits[5] += 1e4
    logits.requires_grad_()
    labels = torch.tensor([2, -100, 0, 6, -100, 1, 3, -100, 5])
    loss = F.cross_entropy(logits, labels, ignore_index=-100)
    loss.backward()
    tensors |= {"cross_entropy.logits": array(logits), "cross_entropy.labels": array(labels, np.int32),
                "cross_entropy.loss": array(loss), "cross_entropy.grad": array(logits.grad)}

    # Layer norm of rows with a large mean, where the variance by E[x^2] - E[x]^2 fails.
    rows = torch.from_numpy(rng.standard_normal((6, 13)) + np.array([[0], [1], [-1e3], [1e4], [1e-3], [50]]))
    rows.requires_grad_()
    gamma, beta, out = (torch.from_numpy(rng.standard_normal(s)) for s in ((13,), (13,), (6, 13)))
    gamma.requires_grad_(), beta.requires_grad_()
    y = F.layer_norm(rows, (13,), gamma, beta, eps=1e-12)
    y.backward(out)
    tensors |= {f"layer_norm.{k}": array(v) for k, v in
                dict(x=rows, gamma=gamma, beta=beta, y=y, cotangent=out, grad_x=rows.grad,
                     grad_gamma=gamma.grad, grad_beta=beta.grad).items()}
    write(folder, "functions", tensors)


def write_all(folder):
    pooler(folder, "gelu", [1, 512, -29, 3], "long", np.float32)
    for name in CONFIGS:
        pooler(folder, name, LENGTHS, "pooler", np.float64) if name != "gelu" else None
        mean_classes(folder, name)
        masked_language_model(folder, name)
    mean_regression(folder, "gelu_new")
    functions(folder)
