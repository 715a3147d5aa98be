"""Ten optimiser steps of sharpness-aware minimisation (SAM, arXiv 2010.01412) around AdamW and SGD; f64 and f32."""

import numpy as np
import torch
import torch.nn.functional as F
from transformers import get_linear_schedule_with_warmup

from .common import array, mean_pool_model, write
from .forward import head_weights
from .training import SETTINGS, STEPS, final_logits, groups, optimiser_of, packed, ten_batches


def backward(model, batch, labels):
    model.zero_grad(set_to_none=True)
    loss = F.cross_entropy(model(**batch.padded()), torch.from_numpy(labels))
    loss.backward()
    return loss.item()


def gradient_beside(model, trained, batch, labels, rho):
    """The gradient at theta + rho g / |g| in each parameter's grad; values as before. Returns the loss at theta."""
    loss = backward(model, batch, labels)
    own = [p.detach().clone() for p in trained]
    with torch.no_grad():
        norm = torch.sqrt(sum((p.grad.double() ** 2).sum() for p in trained))
        for p in trained:
            p.add_((rho / norm).to(p.dtype) * p.grad)
    backward(model, batch, labels)
    with torch.no_grad():
        for p, kept in zip(trained, own):
            p.copy_(kept)
    return loss


def train(model, batches, kind, learning_rate, head_learning_rate, clip_norm, rho):
    made = groups(model, learning_rate, head_learning_rate)
    optimiser = optimiser_of(kind, made)
    schedule = get_linear_schedule_with_warmup(optimiser, round(SETTINGS["warmup_share"] * STEPS), STEPS)
    trained = [p for p in model.parameters() if p.requires_grad]
    losses, norms, rates = [], [], []
    for batch, labels in batches:
        rates.append(next(g["lr"] for g in made if not g["is_head"]))
        losses.append(gradient_beside(model, trained, batch, labels, rho))
        norms.append(torch.nn.utils.clip_grad_norm_(trained, clip_norm).item())
        optimiser.step()
        schedule.step()
    return dict(losses=np.array(losses), gradient_norms=np.array(norms), learning_rates=np.array(rates))


def ten_steps(folder, name, kind, *settings):
    learning_rate, head_learning_rate, clip_norm, rho = settings
    batches = ten_batches(name, 310)
    model = mean_pool_model(folder, name, 3, seed=311)
    tensors = packed(batches) | head_weights(model) | train(model, batches, kind, *settings)
    tensors |= {f"after.{n}": array(p) for n, p in model.named_parameters()}
    tensors["final_logits"] = final_logits(model, batches)

    single = mean_pool_model(folder, name, 3, seed=311).float()
    result = train(single, batches, kind, *settings)
    tensors |= {"f32.losses": result["losses"], "f32.final_logits": final_logits(single, batches)}
    write(folder, f"training/{name}_{kind}_sam", tensors, model=name, head="mean", optimizer=kind,
          settings=SETTINGS | dict(learning_rate=learning_rate, head_learning_rate=head_learning_rate,
                                   clip_norm=clip_norm, rho=rho))


def write_all(folder):
    ten_steps(folder, "gelu_new", "adamw", 1e-3, 5e-3, 1.0, 0.5)
    ten_steps(folder, "relu", "sgd", 1e-2, 5e-2, 4.0, 0.2)
