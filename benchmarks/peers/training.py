"""PyTorch's side of a training step: models, padding, optimiser. Used by pytorch_step.py and agreement.py."""

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, BertModel


class MeanPool(nn.Module):
    """Basis' default head: mean over a sequence's real tokens, dropout, one linear layer."""

    def __init__(self, folder, outputs, attention):
        super().__init__()
        self.bert = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation=attention)
        self.config = self.bert.config
        self.dropout = nn.Dropout(self.config.hidden_dropout_prob)
        self.classifier = nn.Linear(self.config.hidden_size, outputs)
        nn.init.normal_(self.classifier.weight, std=self.config.initializer_range)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, input_ids, attention_mask, token_type_ids):
        hidden = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state
        mask = attention_mask[..., None].to(hidden.dtype)
        return self.classifier(self.dropout((hidden * mask).sum(1) / mask.sum(1)))


class Pooler(nn.Module):
    """transformers' own class, logits only."""

    def __init__(self, folder, outputs, attention):
        super().__init__()
        self.inner = BertForSequenceClassification.from_pretrained(folder, num_labels=outputs,
                                                                   attn_implementation=attention)
        self.config = self.inner.config

    def forward(self, **inputs):
        return self.inner(**inputs).logits


class Spectral(nn.Module):
    """y = x Wᵀ + b + s(x Vᵀ) Uᵀ with frozen U and V of W's SVD, by hand: `svft` (arXiv 2405.19597, plain) trains a
    diagonal, `lora-xs` (arXiv 2405.17604) a k x k core, U times the singular values in front of it."""

    def __init__(self, linear, rank, form):
        super().__init__()
        self.linear = linear
        u, values, vt = torch.linalg.svd(linear.weight.detach().float(), full_matrices=False)
        k = min(rank or len(values), len(values))
        left = u[:, :k] * values[:k] if form == "lora-xs" else u[:, :k]
        self.register_buffer("left", left.contiguous())
        self.register_buffer("right", vt[:k].contiguous())
        self.trained = nn.Parameter(torch.zeros(k, k) if form == "lora-xs" else torch.zeros(k))

    def forward(self, x):
        down = nn.functional.linear(x, self.right)
        middle = nn.functional.linear(down, self.trained) if self.trained.dim() == 2 else down * self.trained
        return self.linear(x) + nn.functional.linear(middle, self.left)


def add_spectral(model, rank, form):
    """On the six matrices of every encoder layer."""
    for layer in model.modules():
        if type(layer).__name__ != "BertLayer":
            continue
        for owner, name in ((layer.attention.self, "query"), (layer.attention.self, "key"),
                            (layer.attention.self, "value"), (layer.attention.output, "dense"),
                            (layer.intermediate, "dense"), (layer.output, "dense")):
            setattr(owner, name, Spectral(getattr(owner, name), rank, form))


METHODS = ["full", "head", "lora", "svft", "lora-xs"]


def build(folder, outputs, head="pooler", method="full", attention="sdpa", rank=5):
    """The model with what `method` trains; a head stored in a mean-pool folder is loaded. Rank 0 is full (svft)."""
    model = (MeanPool if head == "mean" else Pooler)(folder, outputs, attention)
    if getattr(BertConfig.from_pretrained(folder), "basis_head", None) == "mean" and head == "mean":
        stored = load_file(f"{folder}/model.safetensors")
        model.classifier.load_state_dict({k: stored[f"classifier.{k}"] for k in ("weight", "bias")})
    if method == "full":
        return model
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    if method == "lora":
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0,
                                                 target_modules=["query", "value"]))
    elif method in ("svft", "lora-xs"):
        add_spectral(model, rank, method)
    elif method != "head":
        raise SystemExit(f"no method {method!r}; there are {', '.join(METHODS)}")
    for name, parameter in model.named_parameters():
        if "classifier" in name or "pooler" in name:
            parameter.requires_grad_(True)
    return model


def padded(step, is_regression=False):
    """One step of a batches file as tensors, padded to the longest, as DataCollatorWithPadding does."""
    sequences = step["input_ids"]
    width = max(map(len, sequences))
    ids = torch.tensor([s + [0] * (width - len(s)) for s in sequences])
    types = torch.tensor([s + [0] * (width - len(s)) for s in step["token_type_ids"]])
    mask = torch.tensor([[1] * len(s) + [0] * (width - len(s)) for s in sequences])
    labels = torch.tensor(step["labels"], dtype=torch.float32 if is_regression else torch.long)
    return dict(input_ids=ids, attention_mask=mask, token_type_ids=types), labels


def real_tokens(step):
    return sum(map(len, step["input_ids"]))


def loss_of(logits, labels):
    if labels.is_floating_point():
        return nn.functional.mse_loss(logits.float().squeeze(-1), labels)
    return nn.functional.cross_entropy(logits.float(), labels)


def optimiser_of(model, settings):
    """AdamW, fused, no decay on biases and layer norms."""
    with_decay, without = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (without if name.endswith("bias") or "LayerNorm" in name else with_decay).append(parameter)
    return torch.optim.AdamW([dict(params=with_decay, weight_decay=settings["weight_decay"]),
                              dict(params=without, weight_decay=0.0)],
                             lr=settings["learning_rate"], betas=tuple(settings["betas"]), eps=settings["epsilon"],
                             fused=True)


SETTINGS = dict(learning_rate=2e-5, weight_decay=0.01, betas=[0.9, 0.999], epsilon=1e-8, clip_norm=1.0,
                schedule="linear", warmup_share=0.1)
