#!/bin/sh
# Makes a virtual environment outside the repository with all that these scripts use.
#   ./setup.sh [FOLDER]      default $BASIS_PEERS, else ~/.cache/basis/peers
# torch, transformers and PEFT must install; onnxruntime and openvino (rows beside, for evaluation) may fail,
# and those rows then say so. Prints the path of its Python last. Versions: those of the results in
# docs/benchmarks.md; set BASIS_PEERS_LATEST=1 for the newest.
set -eu
folder=${1:-${BASIS_PEERS:-$HOME/.cache/basis/peers}}
if [ -n "${BASIS_PEERS_LATEST:-}" ]; then
  packages="torch transformers peft tokenizers safetensors numpy"
else
  packages="torch==2.15.0 transformers==5.23.0 peft==0.21.2 tokenizers safetensors numpy"
fi
[ -x "$folder/bin/python" ] || python3 -m venv "$folder" || {
  echo "setup.sh: python3 -m venv failed; on Debian: apt-get install python3-venv" >&2
  exit 1
}
python="$folder/bin/python"
pip="$python -m pip install --quiet --disable-pip-version-check"
# shellcheck disable=SC2086  # a list of packages
$pip $packages
$pip onnx onnxscript onnxruntime || echo "setup.sh: no ONNX Runtime; its rows will say so" >&2
$pip openvino || echo "setup.sh: no OpenVINO; its rows will say so" >&2
echo "$python"
