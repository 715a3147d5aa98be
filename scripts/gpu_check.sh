#!/usr/bin/env bash
# What only a GPU can show, in three calls of at most six minutes (docs/gpu.md).
set -uo pipefail

usage() {
  cat <<'TEXT'
Usage: gpu_check.sh a|b|c|m [--package FOLDER] [--minilm FOLDER] [--out FOLDER] [--seconds N]

  a  roofs, parity, gradients, oracle, behaviour, losses against the CPU's, our benchmarks
  b  PyTorch on the same batches
  c  compute-sanitizer's memcheck, racecheck and initcheck on a reduced set, profiles
  m  losses with MiniLM's own weights, of the folder that package_gpu.sh --minilm made

FOLDER is what scripts/package_gpu.sh made (default: where this script lies). Results are appended to
files in --out (default $OUT, else gpu-results) as they come, so that a call that is cut off has lost
nothing: checks.tsv (name, ok | FAILED | not run, seconds, reason), log.txt, benchmarks.jsonl,
kernels.json, peers.jsonl, sanitizer.txt, profile.txt. The most telling checks come first; what does
not begin within --seconds (default 350) is not run.

A parity test that fails is run again by itself, then with each plain twin (BASIS_CUDA_PLAIN) until it
passes; that twin is used from there on, but for that of products, under which nothing could be
measured. Status 0: no check failed.
TEXT
}

package=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${OUT:-gpu-results}
seconds=350
minilm=
part=
while (($# > 0)); do
  case $1 in
    --help | -h) usage; exit 0 ;;
    a | b | c | m) part=$1 ;;
    --package) package=$(cd "${2:?--package needs a folder}" && pwd) || exit 2; shift ;;
    --minilm) minilm=$(cd "${2:?--minilm needs a folder}" && pwd) || exit 2; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
if [[ -z $part ]]; then usage >&2; exit 2; fi
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
cd "$package" || exit 2
readonly checks=$out/checks.tsv log=$out/log.txt
failures=0

left() { echo $((seconds - SECONDS)); }
# note NAME STATUS SECONDS REASON
note() {
  printf '%s\t%s\t%s\t%s\n' "$part/$1" "$2" "$3" "$4" | tee -a "$checks"
  [[ $2 != FAILED ]] || ((++failures))
}
not_run() { note "$1" "not run" 0 "$2"; }
# The line of the log's last check that says most of why it failed.
reason_of() {
  grep -E 'rror|FAILED|Failure|differs|wrong|denied|not supported|Killed' "$1" | grep -v '^\[==' |
    head -1 | cut -c1-200
}

# limited SECONDS COMMAND...: a program or an exported function, ended after so long.
limited() {
  local limit=$1
  shift
  timeout --kill-after=5 "$limit" bash -c '"$@"' bash "$@" </dev/null
}

# check NAME LIMIT COMMAND...: its output goes to the log; true where it ended with 0.
check() {
  local name=$1 limit=$2 begin=$SECONDS status=0 text
  shift 2
  if (($(left) < 5)); then not_run "$name" "no time left in this call"; return 1; fi
  ((limit <= $(left))) || limit=$(left)
  text=$(mktemp)
  echo "=== $name: $*" >>"$log"
  limited "$limit" "$@" >"$text" 2>&1 || status=$?
  cat "$text" >>"$log"
  if ((status == 0)); then
    note "$name" ok $((SECONDS - begin)) ""
  elif ((status == 77)); then
    not_run "$name" "$(head -1 "$text")"
  elif ((status == 124 || status == 137)); then
    note "$name" FAILED $((SECONDS - begin)) "stopped after $limit s"
  else
    note "$name" FAILED $((SECONDS - begin)) "status $status: $(reason_of "$text")"
  fi
  rm -f "$text"
  return $status
}

# ---- Where things are ----------------------------------------------------------------------------

bin=$package/bin
export BASIS_ORACLE_FOLDER=$package/tests/oracle BASIS_CACHE=${BASIS_CACHE:-$(mktemp -d)}
# cuBLASLt and cuSOLVER of a torch installation, where the toolkit's are not found.
torch_folders() {
  python3 - 2>/dev/null <<'PYTHON'
import glob, sys
print(":".join(f for p in sys.path for f in sorted(glob.glob(p + "/nvidia/*/lib"))))
PYTHON
}
BASIS_CUDA_LIBRARIES=${BASIS_CUDA_LIBRARIES:-$(torch_folders || true)}
export BASIS_CUDA_LIBRARIES
ours() { env LD_LIBRARY_PATH="$package/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$@"; }
export package bin out
export -f ours

# Builds from the sources with all cores, for a machine on which our programs do not start.
build_here() {
  local folder=${TMPDIR:-/tmp}/basis-build
  mkdir -p "$folder/source" "$folder/root" &&
    zstd -dcq sources.tar.zst | tar --extract --directory="$folder/source" &&
    zstd -dcq headers.tar.zst | tar --extract --directory="$folder/root" &&
    PKG_CONFIG_SYSROOT_DIR=$folder/root \
      PKG_CONFIG_PATH=$folder/root/usr/lib/x86_64-linux-gnu/pkgconfig:$folder/root/usr/share/pkgconfig \
      cmake -S "$folder/source" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release -DBASIS_CUDA=ON \
      -DBASIS_BLAS=reference -DBASIS_ONEDNN=OFF -DBASIS_TESTS=GPU -DBASIS_BENCHMARKS=ON \
      -DBASIS_CUDA_ARCHITECTURES=native -DCMAKE_PREFIX_PATH="$folder/root/usr" \
      -DCMAKE_LIBRARY_PATH="$folder/root/usr/lib/x86_64-linux-gnu" \
      -DCMAKE_INCLUDE_PATH="$folder/root/usr/include;$folder/root/usr/include/x86_64-linux-gnu" &&
    cmake --build "$folder/build" --parallel "$(nproc)" \
      --target basis_program gpu_tests kernel_benchmark &&
    mkdir -p "$folder/bin" &&
    cp "$folder"/build/bin/basis "$folder"/build/tests/gpu/gpu_tests \
      "$folder"/build/benchmarks/kernel_benchmark "$folder/bin/"
}

find_programs() {
  if check info 60 ours "$bin/basis" info; then return 0; fi
  if [[ ! -f sources.tar.zst ]]; then return 1; fi
  export -f build_here
  check build 330 build_here || return 1
  bin=${TMPDIR:-/tmp}/basis-build/bin
  check info 60 ours "$bin/basis" info
}

# ---- a: ours -------------------------------------------------------------------------------------

plain=${BASIS_CUDA_PLAIN:-}
gpu_tests() { ours env BASIS_CUDA_PLAIN="$plain" "$bin/gpu_tests" --gtest_brief=1 "$@"; }
failed_tests() { sed -n 's/^\[  FAILED  \] \([^ ,]*\).*/\1/p' | sort -u; }

# Runs a failing test by itself, then with one plain twin after the other; the one with which it
# passes is used from there on.
find_twin() {
  local test=$1 begin=$SECONDS name text why before=$plain kept=", used from here on"
  if text=$(limited 60 gpu_tests --gtest_filter="$test" 2>&1); then
    note "parity/$test" ok $((SECONDS - begin)) "by itself; it fails behind others"
    return
  fi
  echo "$text" >>"$log"
  why=$(grep -m1 -E 'got|wrong|differ|rror' <<<"$text" | cut -c1-160)
  for name in $(ours "$bin/gpu_tests" --plain-names); do
    (($(left) > 20)) || break
    plain=${before:+$before,}$name
    if limited 60 gpu_tests --gtest_filter="$test" >>"$log" 2>&1; then
      # Plain products are 30 times slower: what follows would measure nothing.
      if [[ $name == matmul ]]; then plain=$before kept=; fi
      note "parity/$test" FAILED $((SECONDS - begin)) "$why; passes with BASIS_CUDA_PLAIN=$name$kept"
      return
    fi
  done
  plain=$before
  note "parity/$test" FAILED $((SECONDS - begin)) "$why; no plain twin helps"
}

tests_of() {
  local name=$1 limit=$2 filter=$3 begin=$SECONDS text status=0 test
  if (($(left) < 10)); then not_run "$name" "no time left in this call"; return; fi
  ((limit <= $(left))) || limit=$(left)
  echo "=== $name: gpu_tests --gtest_filter=$filter BASIS_CUDA_PLAIN=$plain" >>"$log"
  text=$(limited "$limit" gpu_tests --gtest_filter="$filter" 2>&1) || status=$?
  echo "$text" >>"$log"
  case $status in
    0) note "$name" ok $((SECONDS - begin)) "$(grep -oE '[0-9]+ tests?\.$' <<<"$text" | tail -1)" ;;
    77) not_run "$name" "$(head -1 <<<"$text")" ;;
    124 | 137) note "$name" FAILED $((SECONDS - begin)) "stopped after $limit s" ;;
    *)
      note "$name" FAILED $((SECONDS - begin)) \
        "$(failed_tests <<<"$text" | wc -l) tests, status $status: $(reason_of <(echo "$text"))"
      if [[ $name == parity ]]; then
        for test in $(failed_tests <<<"$text" | head -12); do find_twin "$test"; done
      fi
      ;;
  esac
}

# Losses of the GPU against the CPU's that stand in ./reference: the first to differ by more than
# `most` of itself is told.
losses() {
  local name=$1 most=$2 made
  made=$(mktemp)
  # shellcheck disable=SC2046
  ours env BASIS_CUDA_PLAIN="$plain" "$bin/basis" bench step --device cuda --no-floor \
    $(cat "reference/$name.options") --losses "$made" || return
  paste -d' ' "reference/$name.losses" "$made" | awk -v most="$most" '
    { gsub(/[{}",:]/, " "); want = $4; got = $8; off = got - want; if (off < 0) off = -off
      if (!(off <= most * (want < 0 ? -want : want)) || got == "") {
        printf "step %d differs: got %s, wanted %s\n", NR - 1, got, want; exit 1
      } }
    END { if (NR == 0) { print "Error: no losses"; exit 1 } }'
}

# step NAME OPTIONS...: a line of `basis bench step`, with the check's name in front.
step() {
  local name=$1 line
  shift
  line=$(ours env BASIS_CUDA_PLAIN="$plain" "$bin/basis" bench step --device cuda "$@") || return
  printf '{"name": "%s", "plain": "%s", "result": %s}\n' "$name" "$plain" "$line" >>"$out/benchmarks.jsonl"
}
start_up() {
  local begin=$EPOCHREALTIME
  ours "$bin/basis" bench step --device cuda --size base --dtype bf16 --steps 1 --warmup 0 --no-floor \
    --batches data/mrpc_32.jsonl || return
  awk -v begin="$begin" -v end="$EPOCHREALTIME" \
    'BEGIN { printf "{\"name\": \"start to the end of the first step\", \"seconds\": %.2f}\n", end - begin }' |
    tee -a "$out/benchmarks.jsonl"
}
kernels() {
  ours env BASIS_CUDA_PLAIN="$plain" "$bin/kernel_benchmark" --device=cuda --benchmark_min_time=0.05 \
    --benchmark_format=json >"$out/kernels.json"
}
export -f gpu_tests losses step start_up kernels
export plain

part_a() {
  tests_of parity 100 '*Parity*'
  tests_of gradients 40 '*Gradients*'
  local method dtype options
  for dtype in f32 bf16; do
    for method in full spectral-core lora bitfit; do
      check "losses/mini_${method}_$dtype" 30 losses_of "mini_${method}_$dtype"
    done
    check "losses/minilm_full_$dtype" 30 losses_of "minilm_full_$dtype"
  done
  check start-up 30 start_up
  for options in "base_128_random --size base --batches data/mrpc_128.jsonl --steps 28 --warmup 8" \
    "base_128_grouped --size base --batches data/mrpc_128_grouped.jsonl --steps 28 --warmup 8" \
    "base_32 --size base --batches data/mrpc_32.jsonl --steps 60 --warmup 20" \
    "base_128_full_length --size base --batch 128 --max-length 128 --full-length --steps 16 --warmup 4" \
    "base_32_core --size base --method spectral-core --batches data/mrpc_32.jsonl --steps 60 --warmup 20" \
    "base_32_lora --size base --method lora --batches data/mrpc_32.jsonl --steps 60 --warmup 20" \
    "minilm_32 --size minilm --batches data/mrpc_32.jsonl --steps 60 --warmup 20"; do
    # shellcheck disable=SC2086
    check "step/${options%% *}" 40 step $options --dtype bf16
  done
  check kernels 60 kernels
  tests_of oracle 60 'Classifiers/*:LanguageModels/*:Optimizers/*:Methods*/Adapter*'
  tests_of decompositions 30 '*Decompositions*'
  tests_of behaviour 90 '*TrainingOnCuda*'
}
losses_of() { case $1 in *_bf16) losses "$1" 0.02 ;; *) losses "$1" 0.001 ;; esac; }
export -f losses_of

part_m() {
  if [[ -z $minilm ]]; then not_run weights "--minilm names no folder"; return; fi
  cd "$minilm" || return
  local options
  for options in reference/*.options; do
    options=$(basename "$options" .options)
    check "losses/$options" 60 losses_of "$options"
  done
}

# ---- b: PyTorch ----------------------------------------------------------------------------------

part_b() {
  if ! python3 -c 'import torch; assert torch.cuda.is_available(), "torch sees no GPU"' 2>>"$log"; then
    not_run peers "$(tail -1 "$log" | cut -c1-160)"
    return
  fi
  local budget=$(($(left) - 10))
  check peers "$((budget + 5))" python3 benchmarks/peers/gpu_step.py --batches data --budget "$budget" \
    --out "$out/peers.jsonl"
}

# ---- c: tools ------------------------------------------------------------------------------------

# tool NAME FILE LIMIT COMMAND...: a tool that refuses the machine has not run.
tool() {
  local name=$1 file=$2 limit=$3 begin=$SECONDS status=0 text
  shift 3
  if ! command -v "$1" >/dev/null; then not_run "$name" "there is no $1"; return; fi
  if (($(left) < 15)); then not_run "$name" "no time left in this call"; return; fi
  ((limit <= $(left))) || limit=$(left)
  text=$(ours env BASIS_CUDA_PLAIN="$plain" timeout --kill-after=5 "$limit" "$@" 2>&1 </dev/null) || status=$?
  printf '=== %s\n%s\n' "$name" "$text" >>"$out/$file"
  if grep -qE 'Device not supported|ailed to initialize|ERR_NVGPUCTRPERM|not permitted|No CUDA|no GPU' <<<"$text"; then
    not_run "$name" "$(grep -m1 -E 'not supported|ailed to|PERM|not permitted|No CUDA|no GPU' <<<"$text" | cut -c1-160)"
  elif ((status == 124 || status == 137)); then
    not_run "$name" "not through after $limit s"
  elif ((status != 0)); then
    note "$name" FAILED $((SECONDS - begin)) "status $status: $(grep -m1 -E '=+ .*(rror|hazard|Invalid|Uninit)|rror' <<<"$text" | cut -c1-160)"
  else
    note "$name" ok $((SECONDS - begin)) "$(grep -m1 'ERROR SUMMARY' <<<"$text")"
  fi
}

part_c() {
  local sanitizer=(compute-sanitizer --error-exitcode 9 --print-limit 20)
  local few='*Parity*Aligned*bf16*:*Parity*LayerNorm*bf16*:*Parity*CrossEntropy*bf16*:*Parity*Optimis*:*Parity*Segment*'
  tool memcheck sanitizer.txt 100 "${sanitizer[@]}" --tool memcheck "$bin/gpu_tests" --gtest_brief=1 --gtest_filter="$few"
  tool racecheck sanitizer.txt 100 "${sanitizer[@]}" --tool racecheck "$bin/gpu_tests" --gtest_brief=1 \
    --gtest_filter='*Parity*Aligned*bf16*:*Parity*LayerNorm*bf16*'
  tool initcheck sanitizer.txt 80 "${sanitizer[@]}" --tool initcheck "$bin/gpu_tests" --gtest_brief=1 --gtest_filter="$few"
  tool profile profile.txt 80 ncu --clock-control none --launch-skip 600 --launch-count 160 \
    --section SpeedOfLight --section LaunchStats --section Occupancy --page details \
    "$bin/basis" bench step --device cuda --no-graphs --size base --dtype bf16 --no-floor --steps 3 --warmup 1 \
    --batches data/mrpc_128_grouped.jsonl
}

find_programs || { not_run "everything else" "our program does not start here: see log.txt"; exit 1; }
text=$(ours "$bin/gpu_tests" --gtest_filter=none 2>&1)
status=$?
if ((status == 77)); then
  not_run "everything else" "$(head -1 <<<"$text" | cut -c1-300)"
  exit 0
fi
"part_$part"
echo "part $part: $SECONDS s, $failures failed${plain:+, with plain twins of $plain}" | tee -a "$log"
((failures == 0))
