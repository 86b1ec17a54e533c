"""Serves one GGUF with the embedded llama.cpp, spoken to like `llama-server`.

It stands alone (standard library and xllamacpp only), so that the very same file runs here and inside an image. It
knows exactly the options of llama-server that dsdeploy renders; any other one is an error, not a silent difference.
"""

import argparse
import signal
import sys
import threading
import time
import urllib.request
from pathlib import Path

RUNNING = ("llamacpp:requests_processing ", "llamacpp:requests_deferred ")


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="llama-server (embedded)", allow_abbrev=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--api-key-file", type=Path, required=True)
    parser.add_argument("--ctx-size", type=int, required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--flash-attn", choices=("on", "off", "auto"), default="auto")
    parser.add_argument("--fit", choices=("on", "off"), default="on")
    parser.add_argument("--cache-ram", type=int, default=8192)
    parser.add_argument("--no-repack", action="store_true")
    parser.add_argument("--no-ui", action="store_true")
    parser.add_argument("--no-slots", action="store_true")
    parser.add_argument("--offline", action="store_true")
    return parser


def serve(asked: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT, and then until no answer runs: whoever asks it to stop says how long that may take.

    Raises OSError where the key file cannot be read, RuntimeError from llama.cpp.
    """
    import xllamacpp

    keys = [line.strip() for line in asked.api_key_file.read_text().splitlines() if line.strip()]
    if not keys:
        sys.exit(f"{asked.api_key_file} holds no key: refusing to serve an open door")
    flash = xllamacpp.llama_flash_attn_type
    params = xllamacpp.CommonParams()
    params.model.path = asked.model
    params.model_alias = {asked.alias}
    params.hostnames = [asked.host]
    params.port = asked.port
    params.api_keys = keys
    params.n_ctx = asked.ctx_size
    params.n_parallel = asked.parallel
    params.flash_attn_type = {
        "on": flash.LLAMA_FLASH_ATTN_TYPE_ENABLED,
        "off": flash.LLAMA_FLASH_ATTN_TYPE_DISABLED,
        "auto": flash.LLAMA_FLASH_ATTN_TYPE_AUTO,
    }[asked.flash_attn]
    params.fit_params = asked.fit == "on"
    params.cache_ram_mib = asked.cache_ram
    params.no_extra_bufts = asked.no_repack
    params.ui = not asked.no_ui
    params.endpoint_metrics = True  # behind the key, as everything but /health; asked below, too
    params.endpoint_slots = not asked.no_slots
    params.offline = asked.offline
    if asked.threads:
        params.cpuparams.n_threads = asked.threads
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = xllamacpp.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    while not stopped.wait(1):
        pass
    while _busy(server.handle_metrics()):
        time.sleep(0.2)


def _busy(metrics: str) -> bool:
    """Whether an answer runs or waits, as llama.cpp's own metrics tell."""
    told = (line.split() for line in metrics.splitlines() if line.startswith(RUNNING))
    return any(float(number) > 0 for _, number in told)


def probe(url: str) -> int:
    """0 when `url` answers 200 within 5 s: the health check of an image that has no shell."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--probe"]:
        sys.exit(probe(sys.argv[2]))
    serve(options().parse_args())
