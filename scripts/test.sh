#!/usr/bin/env bash
# Builds Basis with its tests and runs all of them.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/test.sh [options of ctest]

Installs the Debian packages that are missing, builds release with tests (build/release), runs them
and prints ctest's summary last. Tests that need data find it in $BASIS_DATA, else in ../shared/data
beside the checkout, else they are skipped.

  -L fast     only the tests with that label
  -R REGEX    only the tests whose names match
TEXT
}

if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then usage; exit 0; fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "== 1/3 packages"
scripts/dependencies.sh tests

echo "== 2/3 build (release with tests, build/release)"
cmake --preset release -DBASIS_TESTS=ON --log-level=WARNING >/dev/null
cmake --build --preset release

echo "== 3/3 tests"
# Several programs share the cores: a thread that waits should sleep, not spin.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
ctest --preset release --parallel "$(nproc)" "$@"
