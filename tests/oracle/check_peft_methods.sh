#!/usr/bin/env bash
# Trains a tiny classifier and every adapter on it, exports each for PEFT and compares the logits of
# the real PEFT with ours.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/oracle/check_peft_methods.sh BASIS PYTHON [FOLDER]

BASIS   the program, build/release/bin/basis
PYTHON  one that has torch, transformers and peft (tests/oracle/README.md)
FOLDER  for what is made on the way; a temporary one without it

Prints a line for each method and ends with status 1 where a logit differs by more than 1e-5 of the
largest. PEFT does not merge VeRA and IA3: that fails there on a pooler that trains with the adapter.
TEXT
}

if [[ $# -lt 2 || "$1" == --help || "$1" == -h ]]; then usage; exit 2; fi
basis=$(realpath "$1") python=$(realpath -s "$2")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${3:-$(mktemp -d)}
mkdir -p "$folder"
cd "$folder"
[[ $# -ge 3 ]] || trap 'rm -rf "$folder"' EXIT

rows='[data]
synthetic_train_rows = 300
synthetic_dev_rows = 100
[spectrum]
enabled = false'
cat > base.toml <<TOML
tasks = ["synthetic-sentiment"]
methods = ["full"]
seeds = [0]
[model]
path = "pretrain"
head = "pooler"
[pretrain]
size = "tiny"
documents = 2000
steps = 100
$rows
TOML
"$basis" run base.toml --out base > base.log
base=$(echo "$PWD"/base/stages/finetune-*/model)

cat > adapters.toml <<TOML
tasks = ["synthetic-sentiment"]
methods = ["lora", "rslora", "pissa", "lora-xs", "pica", "pica-shared", "vera", "dora", "ia3", "spectral-core", "spectral-band",
           "spectral-diagonal"]
seeds = [0]
[model]
path = "$base"
head = "pooler"
[train]
learning_rate = 1e-2
[method.rslora]
alpha = 6
[method.pissa]
alpha = 12
[method.pica-shared]
kind = "pica"
shared = true
[method.dora]
alpha = 12
targets = ["query", "ffn_in", "ffn_out"]
[method.vera]
targets = ["query", "ffn_in", "ffn_out"]
$rows
TOML
"$basis" run adapters.toml --out adapters --keep adapters > adapters.log

grep '^[a-z]*$' "$base/vocab.txt" | paste -d' ' - - - > texts.txt
failures=0
for adapter in adapters/stages/finetune-*/adapter; do
  name=${adapter#adapters/stages/finetune-synthetic-sentiment-}
  name=${name%-0-*}
  rm -rf peft
  "$basis" export --model "$base" --adapter "$adapter" --out peft --base-name tiny > export.log
  "$basis" predict --model "$base" --adapter "$adapter" < texts.txt > ours.jsonl
  for merged in "" --merged; do
    [[ "$name" =~ ^(vera|ia3)$ && -n "$merged" ]] && continue
    # shellcheck disable=SC2086  # no word where it is empty
    if said=$("$python" "$here/check_peft.py" "$base" peft $merged --expected ours.jsonl < texts.txt 2>&1); then
      printf '%-18s %-8s %s\n' "$name" "$merged" "$(tail -1 <<<"$said")"
    else
      printf '%-18s %-8s FAILED\n%s\n' "$name" "$merged" "$said"
      failures=$((failures + 1))
    fi
  done
done
((failures == 0))
