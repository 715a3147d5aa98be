#!/usr/bin/env bash
# scripts/gpu_check.sh on stand-ins for our programs: one failing kernel, one wrong loss, one tool
# that refuses the machine, and no GPU at all.
set -euo pipefail
script=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/scripts/gpu_check.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"/{bin,tools,reference,data}
cp "$script" "$folder/"
failures=0

# expect TEXT FILE: the file has a line like it (an extended regular expression).
expect() {
  if ! grep -qE -- "$1" "$2"; then
    echo "no line like: $1"
    echo "in $2:"
    sed 's/^/    /' "$2"
    ((++failures))
  fi
}

cat >"$folder/bin/gpu_tests" <<'STAND_IN'
#!/usr/bin/env bash
for argument; do
  case $argument in
    --plain-names) printf 'attention\nlayer_norm\nmatmul\n'; exit 0 ;;
    --gtest_filter=*) filter=${argument#*=} ;;
  esac
done
[[ ! -f $package/no_gpu ]] || { echo "SKIPPED, no GPU to test on: none"; exit 77; }
echo "gpu_tests $filter plain=$BASIS_CUDA_PLAIN" >>"$package/calls"
bad=Cuda/Parity.Norm/bf16_cuda
case $filter in
  '*Parity*' | "$bad")
    if [[ ,$BASIS_CUDA_PLAIN, != *,layer_norm,* ]]; then
      echo "bf16 (3, 8): first wrong at (1, 2): got 7, wanted 8"
      echo "[  FAILED  ] $bad, where GetParam() = bf16_cuda (3 ms)"
      exit 1
    fi ;;
  '*Gradients*') [[ ! -f $package/slow ]] || sleep 30 ;;
esac
echo "[  PASSED  ] 3 tests."
STAND_IN
cat >"$folder/bin/basis" <<'STAND_IN'
#!/usr/bin/env bash
[[ $1 != info ]] || exit 0
echo "basis $* plain=$BASIS_CUDA_PLAIN" >>"$package/calls"
while (($# > 0)); do
  if [[ $1 == --losses ]]; then
    factor=1
    [[ $options_name != wrong ]] || factor=1.01
    awk -v f=$factor '{ sub(/}/, ""); printf "%s %.9f}\n", $1 " " $2 " " $3, $4 * (NR == 2 ? f : 1) }' \
      "reference/$(cat reference/now).losses" >"$2"
  fi
  [[ $1 != --wrong ]] || options_name=wrong
  shift
done
echo '{"step_s": 1}'
STAND_IN
printf '#!/bin/sh\necho "========= Error: Device not supported"\nexit 1\n' >"$folder/tools/compute-sanitizer"
cp "$folder/tools/compute-sanitizer" "$folder/tools/ncu"
chmod +x "$folder"/bin/* "$folder"/tools/*
for dtype in f32 bf16; do
  for name in mini_{full,spectral-core,lora,bitfit}_$dtype minilm_full_$dtype; do
    printf '{"step": 0, "loss": 0.5}\n{"step": 1, "loss": 0.25}\n' >"$folder/reference/$name.losses"
    [[ $name == mini_lora_f32 ]] && echo --wrong || echo --right
  done >"$folder/reference/all.options"
done
for name in "$folder"/reference/*.losses; do
  name=${name%.losses}
  [[ $name == *mini_lora_f32 ]] && echo --wrong >"$name.options" || echo --right >"$name.options"
done
echo mini_full_f32 >"$folder/reference/now"  # all references are alike

status=0
PATH="$folder/tools:$PATH" "$folder/gpu_check.sh" a --out "$folder/out" --seconds 60 >/dev/null || status=$?
checks=$folder/out/checks.tsv
((status == 1)) || { echo "status $status where checks fail"; ((++failures)); }
expect '^a/parity	FAILED	.*1 tests' "$checks"
expect '^a/parity/Cuda/Parity.Norm/bf16_cuda	FAILED	.*first wrong at \(1, 2\): got 7, wanted 8; passes with BASIS_CUDA_PLAIN=layer_norm' "$checks"
expect '^gpu_tests Cuda/Parity.Norm/bf16_cuda plain=attention$' "$folder/calls"
expect '^basis bench step .*base.* plain=layer_norm$' "$folder/calls"
expect '^a/gradients	ok	' "$checks"
expect '^a/losses/mini_full_f32	ok	' "$checks"
expect '^a/losses/mini_lora_f32	FAILED	.*step 1 differs: got 0\.2525' "$checks"
expect '^a/step/base_128_grouped	ok	' "$checks"
expect '"name": "base_128_grouped", "plain": "layer_norm", "result": \{"step_s": 1\}' "$folder/out/benchmarks.jsonl"

status=0
PATH="$folder/tools:$PATH" "$folder/gpu_check.sh" c --out "$folder/out" >/dev/null || status=$?
((status == 0)) || { echo "status $status where tools refuse the machine"; ((++failures)); }
expect '^c/racecheck	not run	.*Device not supported' "$checks"
expect '^c/profile	not run	.*Device not supported' "$checks"

touch "$folder/slow"
"$folder/gpu_check.sh" a --out "$folder/cut" --seconds 12 >/dev/null || true
expect '^a/gradients	FAILED	.*stopped after' "$folder/cut/checks.tsv"
expect '^a/oracle	not run	.*no time left' "$folder/cut/checks.tsv"

touch "$folder/no_gpu"
for part in a b c; do
  "$folder/gpu_check.sh" $part --out "$folder/none" >/dev/null || { echo "$part fails without a GPU"; ((++failures)); }
  expect "^$part/everything else	not run	.*no GPU to test on" "$folder/none/checks.tsv"
done
((failures == 0)) && echo "gpu_check.sh does what it says"
((failures == 0))
