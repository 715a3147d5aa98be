#!/usr/bin/env bash
# build_example.sh SOURCE BUILD STAGE: installs BUILD under STAGE/prefix and builds the example of
# SOURCE outside the tree against that alone.
set -euo pipefail
source=$1 build=$2 stage=$3
rm -rf "$stage"
mkdir -p "$stage"

# Installed in one place and moved: the package must not remember where it was.
cmake --install "$build" --prefix "$stage/before" >/dev/null
mv "$stage/before" "$stage/prefix"
prefix=$stage/prefix
test -f "$prefix/include/basis/basis.h"
if grep -rnE "$source|$stage/before" "$prefix" --include='*.cmake' --include='*.h'; then
  echo "the installed package names the source or the build tree" >&2
  exit 1
fi

# All installed headers in one file compile with nothing but the prefix in sight.
(cd "$prefix/include/basis" && find . -name '*.h' | sort | sed 's|^\./\(.*\)$|#include "\1"|') \
  >"$stage/all_headers.cpp"
"${CXX:-c++}" -std=c++20 -Wall -Wextra -Werror -fopenmp -fsyntax-only -I "$prefix/include/basis" \
  "$stage/all_headers.cpp"

cp -r "$source/examples/finetune_minilm" "$stage/example"
cmake -S "$stage/example" -B "$stage/example/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$stage/example/build"

if [[ -e $build/bin/basis ]]; then "$prefix/bin/basis" --version; fi
