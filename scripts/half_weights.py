#!/usr/bin/env python3
"""Copies a model folder with its weights rounded to f16, for a machine to which few bytes can be carried.

    python3 scripts/half_weights.py MODEL OUT

Reads and writes safetensors with Python's own library alone; a MiniLM takes half a minute. Weights beyond f16's range
are an error. Basis reads f16 and computes in f32 or bf16.
"""

import json
import struct
import sys
from array import array
from pathlib import Path


def main(source, out):
    source, out = Path(source), Path(out)
    content = (source / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    made, parts, place = {}, [], 0
    for name, entry in header.items():
        if name == "__metadata__":
            made[name] = entry
            continue
        begin, end = entry["data_offsets"]
        data = content[8 + size + begin:8 + size + end]
        if entry["dtype"] == "F32":
            numbers = array("f", data)
            try:
                data = struct.pack(f"<{len(numbers)}e", *numbers)
            except OverflowError:
                raise SystemExit(f"half_weights.py: {name} has a number beyond f16's range") from None
            entry = entry | {"dtype": "F16"}
        made[name] = entry | {"data_offsets": [place, place + len(data)]}
        place += len(data)
        parts.append(data)
    text = json.dumps(made).encode()
    text += b" " * (-len(text) % 8)
    out.mkdir(parents=True, exist_ok=True)
    part = out / "model.safetensors.part"
    with open(part, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)
    part.replace(out / "model.safetensors")
    for beside in [*source.glob("*.json"), *source.glob("vocab.txt")]:
        (out / beside.name).write_bytes(beside.read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] in ("-h", "--help"):
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
