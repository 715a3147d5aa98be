#!/bin/sh
# Makes a virtual environment with PyTorch, transformers and PEFT outside the repository.
#   ./setup.sh [FOLDER]      default $BASIS_PEERS, else ~/.cache/basis/peers
# Prints the path of its Python last. Versions: those of the results in docs/benchmarks.md; set BASIS_PEERS_LATEST=1
# for the newest.
set -eu
folder=${1:-${BASIS_PEERS:-$HOME/.cache/basis/peers}}
if [ -n "${BASIS_PEERS_LATEST:-}" ]; then
  packages="torch transformers peft safetensors numpy"
else
  packages="torch==2.15.0 transformers==5.23.0 peft==0.21.2 safetensors numpy"
fi
[ -x "$folder/bin/python" ] || python3 -m venv "$folder" || {
  echo "setup.sh: python3 -m venv failed; on Debian: apt-get install python3-venv" >&2
  exit 1
}
# shellcheck disable=SC2086  # a list of packages
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check $packages
echo "$folder/bin/python"
