#!/usr/bin/env python3
"""Writes data/unicode_tables.h: character properties as the `tokenizers` library has them.

Its crates hold tables of different Unicode versions (categories of Unicode 8, decompositions of
Unicode 12, lower case of the compiler's), so every code point is put through the library itself.

    python tests/data/make_unicode_tables.py > data/unicode_tables.h && clang-format -i data/unicode_tables.h
"""
import tokenizers
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# One mark of each combining class, all of them older than any table in use.
MARKS = {230: 0x300, 232: 0x315, 220: 0x316, 216: 0x31B, 202: 0x321, 1: 0x334, 240: 0x345,
         233: 0x35C, 234: 0x35D, 222: 0x59A, 228: 0x5AE, 7: 0x93C, 9: 0x94D, 8: 0x3099,
         224: 0x302E, 226: 0x1D16D, 218: 0x302A}


def normalizer(**on):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return BertNormalizer(**{**off, **on}).normalize_str


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def combining_class(c, nfd):
    """From which marks c swaps places with; 0 for a starter."""
    above = [k for k, m in MARKS.items() if m != c and nfd(chr(m) + chr(c)) == chr(c) + chr(m)]
    below = [k for k, m in MARKS.items() if m != c and nfd(chr(c) + chr(m)) == chr(m) + chr(c)]
    if not above and not below:
        return 0
    low, high = max(below, default=0), min(above, default=256)
    fits = [k for k in MARKS if low < k < high]
    assert len(fits) == 1, hex(c)
    return fits[0]


def table(name, comment, rows):
    print(f"\n// {comment}\ninline constexpr CodePointRange {name}[] = {{")
    print("".join(f"{{{a:#x}, {b:#x}}}," for a, b in rows), "};")


clean, accents, lower = normalizer(clean_text=True), normalizer(strip_accents=True), normalizer(lowercase=True)
nfd, split = NFD().normalize_str, BertPreTokenizer().pre_tokenize_str
removed = [c for c in CODE_POINTS if clean(chr(c)) == ""]
spaces = [c for c in CODE_POINTS if clean(chr(c)) == " "]
marks = [c for c in CODE_POINTS if accents(chr(c)) == ""]
punctuation = [c for c in CODE_POINTS if c > 127 and [t for t, _ in split(f"x{chr(c)}x")] == ["x", chr(c), "x"]]
gone = set(marks)
classes = {c: combining_class(c, nfd) for c in CODE_POINTS if c >= 0x300 and c not in gone and nfd(chr(c)) == chr(c)
           and any(nfd(chr(m) + chr(c)) == chr(c) + chr(m) or nfd(chr(c) + chr(m)) == chr(m) + chr(c) for m in MARKS.values())}
kept = []
for c, k in sorted(classes.items()):
    if kept and kept[-1][1] == c - 1 and kept[-1][2] == k:
        kept[-1][1] = c
    else:
        kept.append([c, c, k])
# Case pairs younger than Unicode 15.0, as runs of equal distance.
import ctypes  # noqa: E402
utf8proc = ctypes.CDLL("libutf8proc.so.2")
young = []
for c in CODE_POINTS:
    l = lower(chr(c))
    if len(l) == 1 and ord(l) != utf8proc.utf8proc_tolower(c):
        d = ord(l) - c
        if young and young[-1][1] == c - 1 and young[-1][2] == d:
            young[-1][1] = c
        else:
            young.append([c, c, d])
assert [c for c in CODE_POINTS if len(lower(chr(c))) > 1] == [0x130]

print(f"""// Written by tests/data/make_unicode_tables.py from tokenizers {tokenizers.__version__}; do not edit.
#pragma once

#include <cstdint>

namespace basis::unicode_tables {{

struct CodePointRange {{
  char32_t first;
  char32_t last;
}};
struct ValuedRange {{
  char32_t first;
  char32_t last;
  std::int32_t value;
}};""")
table("kRemoved", "Control and format characters, private use, U+0000, U+FFFD: dropped from the text.", ranges(removed))
table("kSpaces", "Become a space.", ranges(spaces))
table("kPunctuation", "Beyond ASCII: each is a word of its own.", ranges(punctuation))
table("kStrippedMarks", "Nonspacing marks: dropped where accents are stripped.", ranges(marks))
for name, comment, rows in (
        ("kKeptMarks", "Combining classes of the characters that take part in canonical order and are not dropped.", kept),
        ("kYoungCasePairs", "Distance to the lower-case letter, for pairs younger than utf8proc 2.8 (Unicode 15.0).", young)):
    print(f"\n// {comment}\ninline constexpr ValuedRange {name}[] = {{")
    print("".join(f"{{{a:#x}, {b:#x}, {v}}}," for a, b, v in rows), "};")
print("\n}  // namespace basis::unicode_tables")
