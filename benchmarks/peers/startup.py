"""PyTorch's way from nothing to the end of a first training step on a few sentences: import, tokenizer, model, step.

  python startup.py --model DIR --sentences FILE [--threads N]

FILE: a sentence a line. The caller times the process.
"""

import argparse
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

parser = argparse.ArgumentParser(description="PyTorch's first step")
parser.add_argument("--model", required=True)
parser.add_argument("--sentences", required=True)
parser.add_argument("--threads", type=int, default=os.cpu_count())
options = parser.parse_args()

import torch  # noqa: E402
from transformers import AutoTokenizer, BertForSequenceClassification  # noqa: E402

torch.set_num_threads(options.threads)
with open(options.sentences, encoding="utf-8") as lines:
    sentences = [line.rstrip("\n") for line in lines]
tokenizer = AutoTokenizer.from_pretrained(options.model)
model = BertForSequenceClassification.from_pretrained(options.model, num_labels=2).train()
optimiser = torch.optim.AdamW(model.parameters(), lr=2e-5, fused=True)
batch = tokenizer(sentences, padding=True, return_tensors="pt")
loss = model(**batch, labels=torch.tensor([n % 2 for n in range(len(sentences))])).loss
loss.backward()
torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
optimiser.step()
print(loss.item())
