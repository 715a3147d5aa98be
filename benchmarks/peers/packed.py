"""PyTorch's BERT without padding, by hand: one (T, H) row of tokens through transformers' own layers, attention for each
sequence by itself. Shown beside, not gated: nobody is handed this by transformers."""

import torch
from torch import nn


def packed(step, is_regression=False):
    """One step of a batches file, its sequences one behind the other."""
    sequences = step["input_ids"]
    labels = torch.tensor(step["labels"], dtype=torch.float32 if is_regression else torch.long)
    return dict(ids=torch.tensor([i for s in sequences for i in s]),
                types=torch.tensor([t for s in step["token_type_ids"] for t in s]),
                positions=torch.tensor([p for s in sequences for p in range(len(s))]),
                lengths=[len(s) for s in sequences]), labels


class PackedBert(nn.Module):
    """A model of training.build, full or head alone, mean or pooler."""

    def __init__(self, model):
        super().__init__()
        self.inner = model
        self.config = model.config
        self.has_pooler = hasattr(model, "inner")
        self.bert = model.inner.bert if self.has_pooler else model.bert

    def attend(self, attention, x, lengths):
        heads = self.config.num_attention_heads
        q, k, v = (part(x).view(len(x), heads, -1).transpose(0, 1).split(lengths, dim=1)
                   for part in (attention.query, attention.key, attention.value))
        dropout = self.config.attention_probs_dropout_prob if self.training else 0.0
        rows = [nn.functional.scaled_dot_product_attention(a[None], b[None], c[None], dropout_p=dropout)[0]
                for a, b, c in zip(q, k, v)]
        return torch.cat(rows, dim=1).transpose(0, 1).reshape(len(x), -1)

    def forward(self, ids, types, positions, lengths):
        e = self.bert.embeddings
        x = e.word_embeddings(ids) + e.token_type_embeddings(types) + e.position_embeddings(positions)
        x = e.dropout(e.LayerNorm(x))
        for layer in self.bert.encoder.layer:
            mixed = self.attend(layer.attention.self, x, lengths)
            x = layer.attention.output(mixed, x)
            x = layer.output(layer.intermediate(x), x)
        parts = x.split(lengths)
        if self.has_pooler:
            first = torch.stack([part[0] for part in parts])
            pooled = self.bert.pooler.activation(self.bert.pooler.dense(first))
            return self.inner.inner.classifier(self.inner.inner.dropout(pooled))
        return self.inner.classifier(self.inner.dropout(torch.stack([part.mean(0) for part in parts])))
