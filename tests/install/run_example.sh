#!/usr/bin/env bash
# run_example.sh SOURCE STAGE: runs the example that build_example.sh built, and checks what it says.
# Status 77: no data, skipped.
set -euo pipefail
source=$1 stage=$2
data=${BASIS_DATA:-$source/../shared/data}
model=$data/weights/minilm-l6-h384-uncased
if [[ ! -f $model/model.safetensors ]]; then
  echo "skipped: no $model; set BASIS_DATA to the folder that holds weights/"
  exit 77
fi
output=$("$stage/example/build/finetune_minilm" "$model")
echo "$output"
losses=$(awk '$1 == "step" { print $4 }' <<<"$output")
[[ $(wc -l <<<"$losses") == 10 ]] || { echo "expected ten steps" >&2; exit 1; }
awk 'NR == 1 { first = $1 } { last = $1 } END { exit !(last < first / 2) }' <<<"$losses" ||
  { echo "the loss has not halved in ten steps" >&2; exit 1; }
grep -Eq '^a lovely little story +positive$' <<<"$output"
grep -Eq '^boring and far too long +negative$' <<<"$output"

# A folder that is not there is the user's mistake: a message and status 2.
status=0
message=$("$stage/example/build/finetune_minilm" "$stage/nothing-here" 2>&1) || status=$?
[[ $status == 2 && $message == *nothing-here* ]] ||
  { echo "expected status 2 and a message, got $status: $message" >&2; exit 1; }
