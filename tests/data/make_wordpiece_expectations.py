#!/usr/bin/env python3
"""Writes tests/data/wordpiece_expectations.json: tricky texts and the ids of Hugging Face's
`tokenizers` for them, with BERT's two vocabularies (which stay outside the repository).

    python tests/data/make_wordpiece_expectations.py ../shared/data/vocab
"""
import json
import pathlib
import random
import sys

import tokenizers
from tokenizers import BertWordPieceTokenizer

TEXTS = [
    "", " ", "\t \n\r ", "Hello, World!", "unaffable", "a" * 99, "a" * 100, "a" * 101, "\u00e9" * 100,
    "\u00e9" * 101, "e\u0301" * 100, "e\u0301" * 101, "x" * 15, "x" * 16, "x" * 17, "internationalization",
    "counterrevolutionaries", "pneumonoultramicroscopicsilicovolcanoconiosis", "don't can't I'll", "3.14159, 1,000,000",
    "[CLS] a [SEP]", "[cls] a [sep]", "[MASK]ing the [MASK].", "[[MASK]]", "[MASK", "MASK]", "[MA\u0000SK]", "[UNK][PAD]x",
    "[MASK][MASK]", " [SEP]", "##ing", "#", "##", "a##b", "\u0130stanbul", "\u0130", "I\u0307", "\u039f\u0394\u039f\u03a3 \u03c3\u03c2 \u03a3",
    "stra\u00dfe \u1e9e", "\u01c5 \u01c4 \u01c6", "na\u00efve caf\u00e9 r\u00e9sum\u00e9", "nai\u0308ve cafe\u0301", "\u00c5ngstr\u00f6m \u212b",
    "\ufb01nance \ufb03", "\u00bd \u00b2 \u2460", "\u4f60\u597d\u4e16\u754c", "abc\u4e2ddef", "\u3042\u308a\u304c\u3068\u3046", "\u30ab\u3099 \u30ac",
    "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22", "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\u05e2\u05b4\u05d1\u05b0\u05e8\u05b4\u05d9\u05ea", "\u0420\u0443\u0441\u0441\u043a\u0438\u0439 \u0419\u0451", "\uf900\ufa10", "\U00020000\U0002b740\U0002b81f\U0002b820\U0002b920\U0002f800",
    "a\u00a0b\u3000c\u2009d\u1680e", "a\u200bb\u200dc\ufeffd", "a\u00adb", "a\ufffdb", "a\u0000b\u0001c", "a\u000bb\u000cc\u0085d", "a\u2028b\u2029c",
    "\u2018q\u2019 \u201cqq\u201d \u2014 \u2013 \u2026", "\u00a1hola! \u00bfqu\u00e9?", "\u20ac100 \u00a3200 $5 + = < > | ~ ^ `", "\u00ab\u00bb \u00b7 \u00a7 \u00b6",
    "a\u0338b = \u2260 \u226e \u226f", "\u037e \u0387 \u1fef", "\u0344\u0385 \u0390", "\u0958 \u0f77 \ufb1d", "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    "\U0001d400\U0001d165\U0001d16d", "\u302e\U0001d165a", "a\U0001d16d\U0001d165", "b\u302e\u0941\U0001d165", "\U0001e008a\U0001e944\u1b44",
    "\u0341\u0340", "\u00b5m \u03bcm", "\u1e9b\u0323", "\u017f", "\u212a elvin", "\U00011938", "\u08d4\u0301", "\u1cf7\u180f", "\u2e43\u2e42", "\u166d\u0af0",
    "\u0600\u06dd\u08e2\u0890", "\ue000\U000f0000", "\u0378\U0003fffd", "\ua7dc\u1c89\U00016ea0", "\U0010fffd\U0010ffff", "tab\tnewline\nreturn\rend",
    "1st 2nd 3rd 4x4", "C++ C# .NET", "http://www.example.com/a?b=c&d=%20", "user@example.org", "...", "!!!???", "--", "A.B.C.", "\u00e6\u0153\u00f8\u00f0\u00fe\u0142",
    "mixedCASE WordsWith123Numbers", "x" * 15 + "\u00e9", "\u00e9" + "x" * 15, "a" * 31, "the " * 40, "\u2010\u2011\u2012\u2212", "\u0149 \u01f0 \u1e96",
]
PIECES = ["the", "Tokeniz", "ing", "\u00c9t\u00e9", "\u0301", "\u4e2d", "-", "'", "\u2019", "[SEP]", "[", "0", "42", " ", " ", " ", "\t", "\u00a0", "\u200b", "\u0000",
          "\ud55c", "\u0130", "\u2260", "\u03a3", "\u302e", "\U0001d165", "\u0941", "qzx", "\ufffd", "\u0085", "A", "z", "\u00df"]

folder = pathlib.Path(sys.argv[1])
rng = random.Random(20)
texts = TEXTS + ["".join(rng.choices(PIECES, k=rng.randrange(2, 25))) for _ in range(200)]
words = ["one", "tokenization", "[SEP]", "!", "", "\u00e9t\u00e9", "7"]
pairs = [[" ".join(rng.choices(words, k=rng.randrange(0, 9))) for _ in "ab"] + [rng.choice([3, 4, 5, 8, 9, 12, 13])]
         for _ in range(60)]
result = {"tokenizers": tokenizers.__version__, "texts": [], "pairs": []}
models = {}
for case in ("uncased", "cased"):
    models[case] = BertWordPieceTokenizer(str(folder / f"bert-base-{case}-vocab.txt"), lowercase=case == "uncased")
    assert models[case].encode("the", add_special_tokens=False).tokens == ["the"]
    models[case].add_special_tokens(["[UNK]", "[SEP]", "[CLS]", "[PAD]", "[MASK]"])
for text in texts:
    result["texts"].append({"text": text, **{c: m.encode(text, add_special_tokens=False).ids for c, m in models.items()}})
for first, second, max_length in pairs:
    models["uncased"].enable_truncation(max_length)
    encoding = models["uncased"].encode(first, second)
    result["pairs"].append({"first": first, "second": second, "max_length": max_length,
                            "ids": encoding.ids, "type_ids": encoding.type_ids})
out = pathlib.Path(__file__).with_name("wordpiece_expectations.json")
entries = {key: ",\n".join(json.dumps(e) for e in result[key]) for key in ("texts", "pairs")}
out.write_text(f'{{"tokenizers": "{tokenizers.__version__}",\n"texts": [\n{entries["texts"]}\n],\n"pairs": [\n{entries["pairs"]}\n]}}\n')
