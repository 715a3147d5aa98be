"""Folders as transformers and PEFT save them, and the logits that they give for a few texts."""

import json
import shutil

import numpy as np
import torch
from peft import IA3Config, LoraConfig, PeftModel, TaskType, VeraConfig, get_peft_model
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from .adapters import ALL_SIX, peft_pattern
from .common import draw

# Words of no language: nothing here comes from a published vocabulary.
WORDS = """blim dorra fep grint hosk jalu kerv lomp mizzel nurb ostrin pliff quorp razzen skelt tundo
vroom wexil yarnip zobb ##a ##en ##isk ##or ##ta ##um b d f g k l m z , . ? !""".split()
TEXTS = [["Blim dorra fep!", None], ["grintisk hosken, jaluta", "kerv?"], ["zobb", None],
         ["unwritten blim", "lomp mizzel nurb ostrin pliff quorp razzen skelt tundo vroom wexil yarnip zobb ."],
         ["", None], ["fep fep fep", "fepum"]]


def tokenizer():
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    made = BertTokenizer(vocab={w: i for i, w in enumerate(vocabulary)}, do_lower_case=True)
    assert made.tokenize("Blim grintisk") == ["blim", "grint", "##isk"], "the vocabulary was ignored"
    return made, vocabulary


def logits(model, tokens):
    rows = []
    with torch.no_grad():
        for first, second in TEXTS:
            rows.append(model(**tokens(first, second, return_tensors="pt")).logits[0].tolist())
    return rows


def classifier(target):
    tokens, vocabulary = tokenizer()
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                        intermediate_size=40, max_position_embeddings=64, type_vocab_size=2,
                        id2label={0: "calm", 1: "glad", 2: "wild"}, label2id={"calm": 0, "glad": 1, "wild": 2},
                        problem_type="single_label_classification")
    model = BertForSequenceClassification(config).eval()
    rng = np.random.default_rng(500)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            p.copy_(torch.from_numpy(draw(rng, name, tuple(p.shape))))
    model.save_pretrained(target)
    tokens.save_pretrained(target)
    (target / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    return tokens


def adapter(base, target, config):
    """PEFT saves; the base's name is a word, not a path of this machine."""
    torch.manual_seed(502)  # PEFT draws A
    model = get_peft_model(BertForSequenceClassification.from_pretrained(base), config)
    rng = np.random.default_rng(501)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            if p.requires_grad:
                p.add_(torch.from_numpy((0.2 * rng.standard_normal(tuple(p.shape))).astype(np.float32)))
    model.peft_config["default"].base_model_name_or_path = "tiny-classifier"
    model.save_pretrained(target)
    (target / "README.md").unlink(missing_ok=True)


def write_all(folder):
    folder = folder / "folders"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    base = folder / "classifier"
    tokens = classifier(base)
    common = dict(task_type=TaskType.SEQ_CLS)
    lora = common | dict(r=3, lora_alpha=6, target_modules=["query", "value"], lora_dropout=0.0)
    third = ["attention.self.key", "attention.self.value", "output.dense"]
    configs = {
        "lora": LoraConfig(**lora),
        "rslora": LoraConfig(**lora, use_rslora=True),
        "pissa": LoraConfig(**lora, init_lora_weights="pissa"),
        "dora": LoraConfig(**lora, use_dora=True),
        "vera": VeraConfig(**common, r=3, target_modules=peft_pattern(ALL_SIX), vera_dropout=0.0),
        "ia3": IA3Config(**common, target_modules=peft_pattern(third),
                         feedforward_modules=peft_pattern(["output.dense"])),
        "ia3_default": IA3Config(**common),
    }
    expected = {"texts": TEXTS, "input_ids": [tokens(a, b)["input_ids"] for a, b in TEXTS],
                "logits": {"classifier": logits(BertForSequenceClassification.from_pretrained(base).eval(), tokens)}}
    for name, config in configs.items():
        adapter(base, folder / name, config)
        model = PeftModel.from_pretrained(BertForSequenceClassification.from_pretrained(base), folder / name).eval()
        expected["logits"][name] = logits(model, tokens)
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
