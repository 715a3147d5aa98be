#!/usr/bin/env bash
# A folder that runs on a machine with a GPU and no packages of ours (docs/gpu.md).
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/package_gpu.sh [--out FOLDER] [--minilm] [--dry-run]

Builds Basis for GPUs with Netlib's BLAS (build/gpu) and makes FOLDER (default build/gpu-package), at
most 50 MiB, for a machine that has an NVIDIA driver and either the CUDA toolkit or torch, and neither
OpenBLAS nor GoogleTest nor a network:
  bin/        basis, gpu_tests, kernel_benchmark; cudart is linked into them
  lib/        the libraries that they need, but for the C library's and CUDA's
  tests/      what PyTorch computed, for the tests
  data/       token ids of MRPC and SST-2 in batches (from $BASIS_DATA, else ../shared/data; random
              ones where that is absent)
  reference/  losses that this machine's CPU computed on these batches, and their command lines
  benchmarks/ PyTorch on the same work
  gpu_check.sh, sources.tar.zst, headers.tar.zst, MANIFEST

--minilm makes another folder instead (default build/gpu-minilm): the data folder's MiniLM as f16, 44
MiB, and losses that the CPU computed with it.

There:  FOLDER/gpu_check.sh a      (then b, then c; see docs/gpu.md)
        FOLDER/gpu_check.sh m --minilm MINILM
TEXT
}

out=
only_minilm=false
dry_run=false
while (($# > 0)); do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --minilm) only_minilm=true ;;
    --dry-run) dry_run=true ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly most_bytes=$((50 * 1024 * 1024))
data=${BASIS_DATA:-../shared/data}
if [[ -z $out ]]; then $only_minilm && out=build/gpu-minilm || out=build/gpu-package; fi
made=$out.part

run() {
  if $dry_run; then echo "would run: $*"; else "$@"; fi
}

echo "== 1/4 packages"
run scripts/dependencies.sh package

# reference NAME OPTIONS...: the options that gpu_check.sh gives to the GPU, and the losses.
basis=$PWD/build/release/bin/basis
reference() {
  local name=$1
  shift
  printf '%s\n' "$*" >"$made/reference/$name.options"
  (cd "$made" && "$basis" bench step "$@" --no-floor --losses "reference/$name.losses" >/dev/null)
}

# finish: the folder in its place, unless it is too large.
finish() {
  local bytes
  bytes=$(du --bytes --summarize "$made" | cut -f1)
  if ((bytes > most_bytes)); then
    echo "package_gpu.sh: $bytes bytes are more than the $most_bytes that there may be; the largest:" >&2
    find "$made" -type f -printf '%s %P\n' | sort -rn | head -8 >&2
    exit 1
  fi
  rm -rf "$out"
  mv "$made" "$out"
  echo "$out: $((bytes / 1024 / 1024)) MiB of 50"
}

if $only_minilm && ! $dry_run; then
  weights=$data/weights/minilm-l6-h384-uncased
  if [[ ! -d $weights ]]; then
    echo "package_gpu.sh: no MiniLM in $weights; set BASIS_DATA" >&2
    exit 1
  fi
  cmake --preset release --log-level=WARNING >/dev/null
  cmake --build --preset release --target basis_program
  rm -rf "$made"
  mkdir -p "$made/reference"
  python3 scripts/half_weights.py "$weights" "$made/model"
  "$basis" bench step --model "$made/model" --batch 32 --steps 12 --write-batches "$made/batches.jsonl"
  for dtype in f32 bf16; do
    for method in full spectral-core; do
      reference "weights_${method}_$dtype" --model model --batches batches.jsonl --steps 12 --warmup 1 \
        --method $method --dtype $dtype
    done
  done
  finish
  exit 0
fi

echo "== 2/4 build (build/gpu, and build/release for reference losses)"
run cmake -S . -B build/gpu -G Ninja --log-level=WARNING -DCMAKE_BUILD_TYPE=Release \
  -DBASIS_CUDA=ON -DBASIS_CUDA_READABLE=OFF -DBASIS_BLAS=reference -DBASIS_ONEDNN=OFF \
  -DBASIS_TESTS=GPU -DBASIS_BENCHMARKS=ON
run cmake --build build/gpu --target basis_program gpu_tests kernel_benchmark
run cmake --preset release --log-level=WARNING
run cmake --build --preset release --target basis_program
if $dry_run; then
  echo "would make: $out"
  exit 0
fi

echo "== 3/4 folder"
rm -rf "$made"
mkdir -p "$made"/{bin,lib,data,reference,tests}

programs=(build/gpu/bin/basis build/gpu/tests/gpu/gpu_tests build/gpu/benchmarks/kernel_benchmark)
for program in "${programs[@]}"; do strip -o "$made/bin/${program##*/}" "$program"; done

# What the programs load, but for the C library's own, which belong to the system's loader.
ldd "${programs[@]}" | awk '$2 == "=>" { print $3 }' | sort -u |
  grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv|ld-linux[^/]*)\.so' |
  while read -r library; do
    case $library in
      */libblas.so.3 | */liblapack.so.3)  # whichever the system's alternative is
        name=${library##*/}
        library=/usr/lib/$(g++ -print-multiarch)/${name:3:-5}/$name
        ;;
    esac
    cp --dereference "$library" "$made/lib/"
  done

cp -r tests/oracle "$made/tests/oracle"
find "$made/tests/oracle" -name '*.cpp' -delete -o -name '*.h' -delete -o -name '*.py' -delete
mkdir "$made/benchmarks"
cp -r benchmarks/peers benchmarks/*.py "$made/benchmarks/"
find "$made" -name __pycache__ -prune -exec rm -r {} +
cp scripts/gpu_check.sh "$made/"
git archive --format=tar HEAD -- ':!docs/results' ':!docs/images' ':!tests/oracle' |
  zstd -q -19 -o "$made/sources.tar.zst"

# To build there: headers, CMake files and libraries of the packages, as they lie below /.
dpkg -L libtomlplusplus-dev nlohmann-json3-dev libcli11-dev libfmt-dev libutf8proc-dev libxxhash-dev \
  libzstd-dev zlib1g-dev libgtest-dev libgmock-dev libbenchmark-dev libblas-dev liblapack-dev |
  grep -E '^/usr/(include|lib|share/cmake|share/pkgconfig)/' | grep -vE '_pic\.a$' | sort -u |
  while read -r file; do [[ -d $file ]] || echo "${file#/}"; done |
  tar --create --directory=/ --files-from=- --ignore-failed-read 2>/dev/null |
  zstd -q -19 -o "$made/headers.tar.zst"

# batches NAME TASK OPTIONS...: of the real rows where they are, else random ones.
batches() {
  local name=$1 task=$2 source=()
  shift 2
  if [[ -d $data/glue ]]; then source=(--glue "$data/glue"); fi
  "$basis" bench step --size minilm --task "$task" "${source[@]}" "$@" \
    --write-batches "$made/data/$name.jsonl"
}
[[ -d $data/glue ]] || echo "no GLUE in $data: batches of random ids in MRPC's lengths"
batches mrpc_32 mrpc --batch 32 --steps 114
batches mrpc_128 mrpc --batch 128 --steps 28
batches mrpc_128_grouped mrpc --batch 128 --steps 28 --grouped
batches sst2_128 sst-2 --batch 128 --steps 40

echo "== 4/4 reference losses (this machine's CPU)"
for method in full bitfit lora spectral-core; do
  for dtype in f32 bf16; do
    reference "mini_${method}_$dtype" --size mini --batches data/mrpc_32.jsonl --steps 12 --warmup 1 \
      --method $method --dtype $dtype
  done
done
reference minilm_full_f32 --size minilm --batches data/mrpc_32.jsonl --steps 6 --warmup 1 --dtype f32
reference minilm_full_bf16 --size minilm --batches data/mrpc_32.jsonl --steps 6 --warmup 1 --dtype bf16

{
  echo "commit $(git rev-parse HEAD)$(git diff --quiet HEAD || echo ' with changes')"
  echo "made on $(uname -m), $("$basis" info | sed -n 's/^processor   *//p')"
  echo "needs glibc $(objdump -T "$made"/bin/* "$made"/lib/* 2>/dev/null |
    grep -oE 'GLIBC_2\.[0-9]+' | sort -uV | tail -1 | sed 's/GLIBC_//')"
  (cd "$made" && find . -type f -printf '%s %P\n' | sort -k2)
} >"$made/MANIFEST"
finish
