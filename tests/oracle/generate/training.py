"""Ten optimiser steps: AdamW and SGD with momentum, clipping, schedule, groups; f64 and f32."""

import numpy as np
import torch
import torch.nn.functional as F
from transformers import get_linear_schedule_with_warmup

from .common import CONFIGS, Batch, array, mean_pool_model, write
from .forward import head_weights

STEPS = 10
SETTINGS = dict(steps=STEPS, warmup_share=0.2, clip_norm=1.0, weight_decay=0.01, betas=[0.9, 0.999], epsilon=1e-8,
                momentum=0.9, classes=3)


def ten_batches(name, seed):
    """Another batch each step, sizes 3 to 6, labels of three classes."""
    rng = np.random.default_rng(seed)
    vocabulary, longest = CONFIGS[name]["vocab_size"], CONFIGS[name]["max_position_embeddings"]
    batches = []
    for _ in range(STEPS):
        lengths = rng.integers(2, min(longest, 24), rng.integers(3, 7))
        signs = np.where((lengths > 4) & (rng.random(len(lengths)) < 0.5), -1, 1)
        batches.append((Batch(rng, vocabulary, lengths * signs), rng.integers(0, 3, len(lengths))))
    return batches


def without_decay(name):
    return name.endswith("bias") or "LayerNorm" in name


def groups(model, learning_rate, head_learning_rate):
    """Four groups: encoder or adapter and head, each with and without decay. A frozen parameter is in none."""
    made = []
    for is_head, rate in ((False, learning_rate), (True, head_learning_rate)):
        for plain in (False, True):
            members = [p for n, p in model.named_parameters()
                       if p.requires_grad and ("classifier" in n) == is_head and without_decay(n) == plain]
            if members:
                made.append(dict(params=members, lr=rate, weight_decay=0.0 if plain else SETTINGS["weight_decay"],
                                 is_head=is_head))
    return made


def optimiser_of(kind, made):
    if kind == "adamw":
        return torch.optim.AdamW(made, betas=tuple(SETTINGS["betas"]), eps=SETTINGS["epsilon"])
    return torch.optim.SGD(made, momentum=SETTINGS["momentum"])


def train(model, batches, kind, learning_rate, head_learning_rate, clip_norm=SETTINGS["clip_norm"]):
    """Returns losses, norms before clipping, and the rates used, one value a step."""
    made = groups(model, learning_rate, head_learning_rate)
    optimiser = optimiser_of(kind, made)
    schedule = get_linear_schedule_with_warmup(optimiser, round(SETTINGS["warmup_share"] * STEPS), STEPS)
    losses, norms, rates, head_rates = [], [], [], []
    for batch, labels in batches:
        rates.append(next((g["lr"] for g in made if not g["is_head"]), 0.0))
        head_rates.append(next(g["lr"] for g in made if g["is_head"]))
        loss = F.cross_entropy(model(**batch.padded()), torch.from_numpy(labels))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        trained = [p for p in model.parameters() if p.requires_grad]
        norms.append(torch.nn.utils.clip_grad_norm_(trained, clip_norm).item())
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return dict(losses=np.array(losses), gradient_norms=np.array(norms), learning_rates=np.array(rates),
                head_learning_rates=np.array(head_rates))


def packed(batches):
    tensors = {}
    for step, (batch, labels) in enumerate(batches):
        tensors |= batch.packed(f"step.{step}.") | {f"step.{step}.labels": labels.astype(np.int32)}
    return tensors


def final_logits(model, batches):
    """Logits for the first step's batch with the weights after the last step."""
    with torch.no_grad():
        return array(model(**batches[0][0].padded()))


def ten_steps(folder, name, kind, *settings):
    learning_rate, head_learning_rate, clip_norm = settings
    batches = ten_batches(name, 300)
    model = mean_pool_model(folder, name, 3, seed=301)
    tensors = packed(batches) | head_weights(model) | train(model, batches, kind, *settings)
    tensors |= {f"after.{n}": array(p) for n, p in model.named_parameters()}
    tensors["final_logits"] = final_logits(model, batches)

    single = mean_pool_model(folder, name, 3, seed=301).float()
    result = train(single, batches, kind, *settings)
    tensors |= {"f32.losses": result["losses"], "f32.final_logits": final_logits(single, batches)}
    write(folder, f"training/{name}_{kind}", tensors, model=name, head="mean", optimizer=kind,
          settings=SETTINGS | dict(learning_rate=learning_rate, head_learning_rate=head_learning_rate,
                                   clip_norm=clip_norm))


def write_all(folder):
    ten_steps(folder, "gelu_new", "adamw", 1e-3, 5e-3, 1.0)
    ten_steps(folder, "gelu_new", "sgd", 1e-2, 5e-2, 1.0)
    ten_steps(folder, "relu", "adamw", 1e-3, 5e-3, 4.0)  # some norms above, some below
