"""Adapters: logits, gradients of what is trained, ten AdamW steps. LoRA and its kin by PEFT itself, the rest by hand."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from peft import IA3Config, LoraConfig, VeraConfig, get_peft_model
from torch import nn

from .common import CONFIGS, Batch, array, mean_pool_model, write
from .forward import LENGTHS
from .training import SETTINGS, packed, ten_batches, train

RANK, ALPHA = 3, 6.0
SPECTRAL_RANK = 4
QUERY_VALUE = ["attention.self.query", "attention.self.value"]
ALL_SIX = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
           "intermediate.dense", "output.dense"]
LEARNING_RATE, HEAD_LEARNING_RATE = 1e-2, 5e-3


def is_target(name, targets):
    """`output.dense` is the second feed-forward matrix; the attention's has its own name."""
    return any(name.endswith("." + t) for t in targets) and not (
        name.endswith("attention.output.dense") and "attention.output.dense" not in targets)


def targets_of(model, targets):
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear) and is_target(n, targets)}


def svd(weight):
    """U (out, r), sigma (r), V (in, r) of METHODS' sign convention: the largest entry of v_i is positive."""
    u, sigma, vt = np.linalg.svd(weight.detach().numpy(), full_matrices=False)
    v = vt.T
    signs = np.sign(v[np.abs(v).argmax(0), np.arange(v.shape[1])])
    return u * signs, sigma, v * signs


class Adapted(nn.Module):
    """y = x (W0 + delta)^T + b with named factors; `delta` maps them to (out, in)."""

    def __init__(self, linear, factors, trained, delta):
        super().__init__()
        self.base = linear
        self.delta = delta
        for name, value in factors.items():
            if isinstance(value, nn.Parameter):  # shared between layers
                setattr(self, name, value)
            elif name in trained:
                setattr(self, name, nn.Parameter(torch.from_numpy(np.ascontiguousarray(value, np.float64))))
            else:
                self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value, np.float64)))

    def forward(self, x):
        return F.linear(x, self.base.weight + self.delta(self), self.base.bias)


def start(rng, *shape):
    """A start that is not zero, so that no factor's gradient vanishes; exact in f32."""
    return (0.1 * rng.standard_normal(shape)).astype(np.float32)


def by_hand(model, targets, rng, build):
    """Puts `build(linear, rng)` = (factors, names of the trained, delta) in the place of each target."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for name, linear in targets_of(model, targets).items():
        parent = model.get_submodule(name.rsplit(".", 1)[0])
        setattr(parent, name.rsplit(".", 1)[1], Adapted(linear, *build(linear, rng)))
    return model


def spectral(form, rank):
    def build(linear, rng):
        u, sigma, v = svd(linear.weight)
        frozen = dict(U=u[:, :rank], V=v[:, :rank], sigma=sigma)
        if form == "diagonal":
            return frozen | dict(M=start(rng, rank)), ["M"], lambda f: (f.U * f.M) @ f.V.T
        if form == "core":
            return frozen | dict(M=start(rng, rank, rank)), ["M"], lambda f: f.U @ f.M @ f.V.T
        i = np.arange(rank)
        band = (np.abs(i[:, None] - i) <= 1).astype(np.float32)
        mask = torch.from_numpy(band.astype(np.float64))
        return frozen | dict(M=start(rng, rank, rank) * band), ["M"], lambda f: f.U @ (f.M * mask) @ f.V.T
    return build


def lora_xs(linear, rng):
    u, sigma, v = svd(linear.weight)
    k = SPECTRAL_RANK
    return (dict(U=u[:, :k], V_sigma=v[:, :k] * sigma[:k], M=start(rng, k, k)), ["M"],
            lambda f: (ALPHA / k) * f.U @ f.M @ f.V_sigma.T)


def pissa(linear, rng):
    u, sigma, v = svd(linear.weight)
    root = np.sqrt(sigma[:RANK] / (ALPHA / RANK))
    a0, b0 = root[:, None] * v[:, :RANK].T, u[:, :RANK] * root
    return (dict(A0=a0, B0=b0, A=a0 + start(rng, *a0.shape), B=b0 + start(rng, *b0.shape)), ["A", "B"],
            lambda f: (ALPHA / RANK) * (f.B @ f.A - f.B0 @ f.A0))


def pica(linear, rng):
    _, _, v = svd(linear.weight)
    return (dict(P=v[:, :RANK].T, M=start(rng, linear.out_features, RANK)), ["M"], lambda f: f.M @ f.P)


def pica_shared():
    """One M for all layers of a group; the group is the place in the layer, here told by a name kept on the module."""
    shared = {}

    def build(linear, rng):
        factors, trained, delta = pica(linear, rng)
        if linear.group not in shared:
            shared[linear.group] = nn.Parameter(torch.from_numpy(factors["M"].astype(np.float64)))
        return factors | dict(M=shared[linear.group]), trained, delta
    return build


def with_peft(model, config, rng):
    """PEFT's own modules around the tiny model, every adapter parameter moved off its start."""
    model = get_peft_model(model, config).double()
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            if p.requires_grad:
                centre = {"ia3_l": 1.0, "magnitude": p.numpy(force=True)}
                at = next((v for k, v in centre.items() if k in name), 0.0)
                p.copy_(torch.from_numpy((at + start(rng, *p.shape)).astype(np.float32)))
    return model


def peft_name(name):
    """The name in an adapter file of PEFT, without its `base_model.model.`; shared projections have no module's name."""
    name = name.removeprefix("base_model.model.").removeprefix("base_model.").replace(".default", "")
    if "vera_A" in name or "vera_B" in name:
        return name.rsplit(".", 1)[-1]
    return name.replace("magnitude_vector.weight", "magnitude_vector")


def bitfit(model):
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("bert.") and name.endswith(".bias"))
    return model


def adapter_state(model):
    """Names and values that an adapter adds or trains; frozen base weights are in models/NAME."""
    trained = {peft_name(n): p for n, p in model.named_parameters() if p.requires_grad}
    frozen = {peft_name(n): b for n, b in model.named_buffers()
              if n.rsplit(".", 1)[-1] in ("U", "V", "sigma", "V_sigma", "A0", "B0", "P") or "vera_" in n}
    return trained, frozen


def record(folder, base, method, make, **about):
    """One file: the adapter's start, one forward and backward pass, ten AdamW steps from the same start."""
    def fresh():
        model = mean_pool_model(folder, base, 3, seed=401)
        for name, module in model.named_modules():
            module.group = name.split(".", 4)[-1]  # bert.encoder.layer.N.GROUP
        model = make(model, np.random.default_rng(402))
        for name, parameter in model.named_parameters():
            if "classifier" in name:
                parameter.requires_grad_(True)
        return model

    rng = np.random.default_rng(400)
    model = fresh()
    trained, frozen = adapter_state(model)
    tensors = {n: array(v) for n, v in (frozen | trained).items()}
    batch = Batch(rng, CONFIGS[base]["vocab_size"], LENGTHS)
    labels = rng.integers(0, 3, len(batch))
    logits = model(**batch.padded())
    loss = F.cross_entropy(logits, torch.from_numpy(labels))
    loss.backward()
    tensors |= batch.packed() | {"labels": labels.astype(np.int32), "logits": array(logits), "loss": array(loss)}
    tensors |= {f"grad.{n}": array(p.grad) for n, p in trained.items()}
    assert not [n for n, p in model.named_parameters() if not p.requires_grad and p.grad is not None]

    batches = ten_batches(base, 403)
    model = fresh()
    result = train(model, batches, "adamw", LEARNING_RATE, HEAD_LEARNING_RATE)
    tensors |= packed(batches) | result
    tensors |= {f"after.{n}": array(p) for n, p in adapter_state(model)[0].items()}
    write(folder, f"adapters/{method}", tensors, model=base, head="mean", method=method, optimizer="adamw",
          trained=sorted(trained), frozen=sorted(frozen),
          settings=SETTINGS | dict(learning_rate=LEARNING_RATE, head_learning_rate=HEAD_LEARNING_RATE), **about)


def peft_pattern(targets):
    """PEFT matches a regular expression against the full name; the list form would catch attention.output.dense."""
    own = [t for t in targets if t != "output.dense"]
    forms = [r".*\." + t.replace(".", r"\.") for t in own]
    if "output.dense" in targets:
        forms.append(r".*\.\d+\.output\.dense")
    return "|".join(f"({f})" for f in forms)


def write_all(folder):
    base = "gelu_new"

    def hand(method, targets, build, **about):
        record(folder, base, method, lambda m, rng: by_hand(m, targets, rng, build), targets=targets, **about)

    def peft(method, targets, config, **about):
        record(folder, base, method, lambda m, rng: with_peft(m, config, rng), targets=targets, **about)

    for form in ("diagonal", "band", "core"):
        hand(f"spectral_{form}", ALL_SIX, spectral(form, SPECTRAL_RANK), rank=SPECTRAL_RANK, band=1, scale=1.0)
    record(folder, "relu", "spectral_full_rank", targets=["attention.self.key", "output.dense"], rank=18, scale=1.0,
           make=lambda m, rng: by_hand(m, ["attention.self.key", "output.dense"], rng, spectral("diagonal", 18)))
    hand("lora_xs", ALL_SIX, lora_xs, rank=SPECTRAL_RANK, alpha=ALPHA, scale=ALPHA / SPECTRAL_RANK)
    hand("pissa", QUERY_VALUE, pissa, rank=RANK, alpha=ALPHA, scale=ALPHA / RANK)
    hand("pica", ALL_SIX, pica, rank=RANK, scale=1.0)
    record(folder, base, "pica_shared", targets=ALL_SIX, rank=RANK, scale=1.0,
           make=lambda m, rng: by_hand(m, ALL_SIX, rng, pica_shared()))
    record(folder, base, "bitfit", lambda m, rng: bitfit(m))

    common = dict(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=peft_pattern(QUERY_VALUE))
    about = dict(rank=RANK, alpha=ALPHA)
    peft("lora", QUERY_VALUE, LoraConfig(**common), scale=ALPHA / RANK, **about)
    peft("rslora", QUERY_VALUE, LoraConfig(**common, use_rslora=True), scale=ALPHA / math.sqrt(RANK), **about)
    peft("dora", QUERY_VALUE, LoraConfig(**common, use_dora=True), scale=ALPHA / RANK, **about)
    peft("vera", ALL_SIX, VeraConfig(r=RANK, target_modules=peft_pattern(ALL_SIX), vera_dropout=0.0), rank=RANK)
    key_value_ffn = ["attention.self.key", "attention.self.value", "output.dense"]
    peft("ia3", key_value_ffn, IA3Config(target_modules=peft_pattern(key_value_ffn),
                                         feedforward_modules=peft_pattern(["output.dense"])))
