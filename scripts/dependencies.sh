#!/usr/bin/env bash
# The Debian packages that Basis needs, in one place. cmake/BasisDependencies.cmake finds them.
set -euo pipefail

build_packages=(
  g++ cmake ninja-build pkg-config
  libopenblas-openmp-dev   # matrix products
  libdnnl-dev              # matrix products in bf16, and in f32 on AVX-512
  libtomlplusplus-dev      # config files
  nlohmann-json3-dev       # JSON
  libcli11-dev             # command line
  libfmt-dev               # text
  libutf8proc-dev          # Unicode
  libxxhash-dev            # hashes
  libzstd-dev              # compressed corpora
  zlib1g-dev               # gzipped images
  gnuplot-nox              # pictures of the report
)
test_packages=(
  libgtest-dev libgmock-dev binutils
  python3-numpy            # scripts/check_spectrum.py
  libboost-context-dev     # threads of CUDA kernels on the host
)
ci_packages=(clang-format)
package_packages=(
  libblas-dev liblapack-dev  # Netlib's, in place of OpenBLAS
  libbenchmark-dev zstd
)

usage() {
  cat <<'TEXT'
Usage: scripts/dependencies.sh [--list] build|tests|ci|package

Installs the Debian packages that are missing (apt-get, with sudo where not root):
  build   what the `basis` program needs
  tests   the same and what the tests need
  ci      the same and clang-format
  package what the tests need, and what a package for a GPU machine is made with
--list prints their names and installs nothing.

On a system without apt-get it lists what is needed and stops with status 1. Where you have
installed all of it by hand, set BASIS_DEPENDENCIES=present.
TEXT
}

is_installed() {
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

# refuse REASON: says what is needed and stops.
refuse() {
  {
    echo "$1"
    echo "Basis needs these Debian 12 packages, or the same libraries by other names:"
    printf '  %s\n' "${missing[@]}"
    echo "Once they are installed, go on with BASIS_DEPENDENCIES=present in the environment."
  } >&2
  exit 1
}

lists=false
if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then usage; exit 0; fi
if [[ "${1:-}" == --list ]]; then lists=true; shift; fi
case "${1:-}" in
  build) packages=("${build_packages[@]}") ;;
  tests) packages=("${build_packages[@]}" "${test_packages[@]}") ;;
  ci) packages=("${build_packages[@]}" "${test_packages[@]}" "${ci_packages[@]}") ;;
  package) packages=("${build_packages[@]}" "${test_packages[@]}" "${package_packages[@]}") ;;
  *) usage >&2; exit 2 ;;
esac
if $lists; then printf '%s\n' "${packages[@]}"; exit 0; fi
if [[ "${BASIS_DEPENDENCIES:-}" == present ]]; then exit 0; fi

missing=("${packages[@]}")
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  refuse "This system has no apt-get."
fi
missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "Packages: all ${#packages[@]} are installed."
  exit 0
fi

as_root=(env DEBIAN_FRONTEND=noninteractive)
if ((EUID != 0)); then
  command -v sudo >/dev/null || refuse "Packages are missing, and there is no sudo to install them."
  as_root=(sudo "${as_root[@]}")
fi
echo "Packages: installing ${missing[*]}"
"${as_root[@]}" apt-get update --quiet=2 || echo "apt-get update failed; trying with the lists there are" >&2
"${as_root[@]}" apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}" ||
  refuse "apt-get could not install them."
