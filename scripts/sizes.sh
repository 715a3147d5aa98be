#!/usr/bin/env bash
# Lines a room and the size of the program, as the table of the README.
set -euo pipefail

if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then
  echo "Usage: scripts/sizes.sh
Prints a Markdown table: files and lines a room (all lines of .h and .cpp, comments and blank ones
too), its longest file, and the size of build/release/bin/basis where that is built."
  exit 0
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# row NAME FOLDER...: one line of the table.
row() {
  local name=$1
  shift
  local files
  mapfile -t files < <(find "$@" \( -name '*.h' -o -name '*.cpp' \) -type f | sort)
  ((${#files[@]} > 0)) || return 0
  awk -v name="$name" -v files="${#files[@]}" '
    { lines++; if (++of[FILENAME] > of[longest]) longest = FILENAME }
    END { printf "| %s | %d | %d | %s (%d) |\n", name, files, lines, longest, of[longest] }
  ' "${files[@]}"
}

rooms=(tensor autograd nn optim spectral data experiments)
echo "| room | files | lines | longest file |"
echo "|---|---|---|---|"
for room in "${rooms[@]}"; do row "$room/" "$room"; done
row "**all rooms**" "${rooms[@]}"
row "tests/" tests
for folder in benchmarks examples; do [[ ! -d $folder ]] || row "$folder/" "$folder"; done

program=build/release/bin/basis
if [[ -x $program ]]; then
  echo
  echo "\`basis\`: $(du --apparent-size --block-size=1K "$program" | cut -f1) KiB," \
    "$(size "$program" | awk 'NR == 2 { printf "%d KiB of code", $1 / 1024 }')"
fi
