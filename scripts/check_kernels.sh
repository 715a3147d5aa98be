#!/usr/bin/env bash
# What nvcc made of the CUDA kernels, read from the build.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/check_kernels.sh [--table] [BUILD]

Reads what ptxas said of each kernel for sm_90 and the PTX in the objects below BUILD (default
build/release), and fails where
  - a kernel spills registers or has a stack, unless it is a plain twin or one for rows that are not
    aligned, an element at a time,
  - tuned attention has no mma, ldmatrix or cp.async,
  - a kernel over packs of rows has no loads or no stores of 16 bytes.
--table prints every kernel: registers, spilled bytes, stack, and how often its PTX has mma, loads and
stores of 16 bytes, and other loads and stores of global memory.
TEXT
}

shows_table=0
build=build/release
for argument; do
  case $argument in
    --help | -h) usage; exit 0 ;;
    --table) shows_table=1 ;;
    -*) usage >&2; exit 2 ;;
    *) build=$argument ;;
  esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t objects < <(find "$build" -path '*basis_cuda_kernels*' -name '*.cu.o' 2>/dev/null | sort)
if ((${#objects[@]} == 0)); then
  echo "check_kernels.sh: no CUDA kernels below $build; build with nvcc first (BASIS_CUDA=ON)" >&2
  exit 1
fi
for object in "${objects[@]}"; do
  if [[ ! -f $object.log ]]; then
    echo "check_kernels.sh: $object has no log of ptxas beside it; build it again" >&2
    exit 1
  fi
done

# One line a kernel: mangled name, registers, spilled bytes, stack.
of_ptxas() {
  cat "${objects[@]/%/.log}" | awk '
    /Compiling entry function/ { split($0, part, "\x27"); name = part[2]; target = part[4] }
    /bytes stack frame/ { stack = $1; spilled = $5 + $9 }
    /Used [0-9]+ registers/ && target == "sm_90" {
      match($0, /Used [0-9]+/)
      print name, substr($0, RSTART + 5, RLENGTH - 5), spilled, stack
      target = ""
    }'
}

# One line a kernel: mangled name, mma, ldmatrix, cp.async, loads and stores of 16 bytes, others.
of_ptx() {
  for object in "${objects[@]}"; do strings -n 2 "$object"; done | awk '
    function tell() {
      if (name != "") print name, mma, ldmatrix, copies, wide_loads, wide_stores, loads, stores
    }
    /\.entry / {
      tell()
      name = $0; sub(/.*\.entry /, "", name); sub(/\(.*/, "", name)
      mma = ldmatrix = copies = wide_loads = wide_stores = loads = stores = 0
    }
    /mma\.sync\.aligned\.m16n8k16/ { ++mma }
    /ldmatrix\.sync/ { ++ldmatrix }
    /cp\.async\.cg\.shared\.global.*, 16;/ { ++copies }
    /ld\.global[.a-z]*\.v4\.[a-z]32|ld\.global[.a-z]*\.v2\.[a-z]64/ { ++wide_loads; next }
    /st(\.global)?[.a-z]*\.v4\.[a-z]32|st\.global[.a-z]*\.v2\.[a-z]64/ { ++wide_stores; next }
    /ld\.global/ { ++loads }
    /st\.global/ { ++stores }
    END { tell() }'
}

if ! strings -n 2 "${objects[@]}" | grep '\.entry ' >/dev/null; then
  echo "check_kernels.sh: the objects hold no PTX; configure anew (cmake --fresh --preset release)" >&2
  exit 1
fi
join <(of_ptxas | sort) <(of_ptx | sort -u -k1,1) | c++filt |
  sed -E 's/basis::cuda::device::(\(anonymous namespace\)::)?//g; s/^void //; s/\([^()]*\)( [0-9 ]+)$/\1/' |
  awk -v shows_table=$shows_table '
    # The numbers are the last ten fields; what stands before them is the name.
    {
      n = NF - 10
      name = $1
      for (i = 2; i <= n; ++i) name = name " " $i
      registers = $(n + 1); spilled = $(n + 2); stack = $(n + 3)
      mma = $(n + 4); ldmatrix = $(n + 5); copies = $(n + 6)
      wide_loads = $(n + 7); wide_stores = $(n + 8); loads = $(n + 9); stores = $(n + 10)
      ++kernels
      if (shows_table) {
        printf "%4d registers %3d spilled %4d stack %4d mma  16 bytes: %3d loads %3d stores  others: %3d %3d  %s\n",
          registers, spilled, stack, mma, wide_loads, wide_stores, loads, stores, name
      }
    }
    function fail(why) { printf "%s: %s\n", name, why; ++failures }
    spilled > 0 && !is_plain(name) { fail("spills " spilled " bytes (" registers " registers)") }
    stack > 0 && !is_plain(name) { fail("has a stack of " stack " bytes") }
    name ~ /^(short|long)_attention/ {
      ++attention
      if (mma == 0) fail("has no mma.sync")
      if (ldmatrix == 0) fail("has no ldmatrix")
      if (copies == 0) fail("has no cp.async of 16 bytes")
    }
    name ~ /^(over_packs|column_parts|scatter|segment_sum|cross_entropy)_kernel<8,/ ||
        name ~ /^(layer_norm|layer_norm_gradient|first_rows_gradient|adamw|f32_.*)_kernel/ {
      ++over_packs
      if (wide_loads == 0 && loads > 0) fail("loads nothing by 16 bytes")
      if (wide_stores == 0) fail("stores nothing by 16 bytes")
    }
    function is_plain(name) {
      return name ~ /plain/ || name ~ /^attention_/ ||
        name ~ /^(over_packs|column_parts|scatter|segment_sum|cross_entropy|squares)_kernel<1,/
    }
    END {
      printf "%d kernels for sm_90, %d of tuned attention, %d over packs: %d findings\n",
        kernels, attention, over_packs, failures
      exit failures > 0 || attention == 0 || over_packs == 0
    }'
