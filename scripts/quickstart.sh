#!/usr/bin/env bash
# From a fresh checkout to a report: packages, build, experiments/configs/quickstart.toml.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/quickstart.sh [--out DIR] [options of `basis run`]

Installs the Debian packages that are missing, builds the `basis` program (build/release), and runs
experiments/configs/quickstart.toml. It needs no data and no network beyond the packages. Ends with
a table of results and the path of the report. Run again, it reuses what is finished.

  --out DIR         folder of the run (default: runs/quickstart in the checkout)
  --set key=value   changes a key of the config, as in `basis run`: --set 'seeds=[0]'
TEXT
}

invoked_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$PWD/runs/quickstart
options=()
while (($# > 0)); do
  case "$1" in
    --help | -h) usage; exit 0 ;;
    --out | --out=*)
      if [[ "$1" == --out=* ]]; then
        out=${1#--out=}
      else
        (($# > 1)) || { echo "quickstart.sh: --out needs a folder" >&2; exit 2; }
        out=$2
        shift
      fi
      [[ "$out" == /* ]] || out=$invoked_from/$out
      ;;
    *) options+=("$1") ;;
  esac
  shift
done

echo "== 1/3 packages"
scripts/dependencies.sh build

echo "== 2/3 build (release, build/release)"
# Tests are left out of a new build folder; one that has them keeps them, and its objects are used.
configure=(cmake --preset release)
[[ -e build/release/CMakeCache.txt ]] || configure+=(-DBASIS_TESTS=OFF)
"${configure[@]}" --log-level=WARNING >/dev/null
cmake --build --preset release --target basis_program

echo "== 3/3 run (experiments/configs/quickstart.toml, into $out)"
build/release/bin/basis run experiments/configs/quickstart.toml --out "$out" "${options[@]}"

[[ -s "$out/report.html" ]] || { echo "quickstart.sh: $out/report.html was not written" >&2; exit 1; }
echo
echo "Report: $out/report.html"
