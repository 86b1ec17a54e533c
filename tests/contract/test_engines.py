"""What `Engine` promises, held for every member over the whole cross product of the catalogue."""

import ast
import os
import socket
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

from dsdeploy.adapters.engines import engine_adapters, find_engine_adapter
from dsdeploy.adapters.engines.keys import key_in_arguments, key_in_environment
from dsdeploy.adapters.engines.llamacpp.serve import options as embedded_options
from dsdeploy.core.deployment import Deployment
from dsdeploy.core.engines import engines
from dsdeploy.core.errors import EngineCannotRun, UnknownEngine, UnknownEngineVersion
from dsdeploy.core.flags import flag_table
from tests.engine_deployments import PLACE, every_deployment
from tests.program import run_json

TABLES = {"vllm-ascend": "vllm", "vllm-vendor": "vllm"}
VARIABLES = replace(PLACE, leader_address="$(LWS_LEADER_ADDRESS)", node_rank="$(LWS_WORKER_INDEX)")


@cache
def deployments() -> tuple[Deployment, ...]:
    return tuple(every_deployment())


@cache
def launches():
    return [(one, find_engine_adapter(one.engine).launch(one, PLACE)) for one in deployments()]


def options_of(engine: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words that the engine's own parser reads, without what starts it."""
    if engine == "llama.cpp":
        return argv[1:]
    words = argv[4:]  # python3 -c CODE KEYS
    return words[1:] if engine == "sglang" else words[3:]  # the module; `vllm serve WEIGHTS`


def test_each_engine_that_is_described_has_a_member_and_runs_something():
    assert set(engine_adapters()) == {one.name for one in engines()}
    assert {one.engine for one in deployments()} == set(engine_adapters())
    with pytest.raises(UnknownEngine):
        find_engine_adapter("vlm")


@pytest.mark.parametrize(("name", "instead"), [("KTransformers", "llama.cpp"), ("mindie", "vllm-ascend")])
def test_an_engine_that_is_left_out_is_refused_by_name_with_what_serves_instead(name, instead):
    with pytest.raises(UnknownEngine) as refused:
        find_engine_adapter(name)
    for language in ("en", "zh"):
        assert f"--engine {instead}" in refused.value.hint.render(language)


@pytest.mark.parametrize("engine", engine_adapters())
def test_every_rendered_option_is_known_to_its_release_and_legal(engine):
    wrong, seen = {}, 0
    for one, launch in launches():
        if one.engine != engine:
            continue
        seen += 1
        table = flag_table(TABLES.get(engine, engine), one.engine_version)
        places = [PLACE] if one.nodes == 1 else [PLACE, replace(PLACE, node_rank="1"), VARIABLES]
        for place in places:
            try:
                argv = launch.argv if place is PLACE else find_engine_adapter(engine).launch(one, place).argv
            except EngineCannotRun:
                assert "--nnodes" not in table.options and place is VARIABLES
                continue
            for fault in table.faults(options_of(engine, argv)):
                wrong[fault] = one
    assert seen > 50 and not wrong


def test_the_embedded_server_knows_every_option_that_is_rendered_for_a_processor():
    found = [launch for one, launch in launches() if one.engine == "llama.cpp" and one.accelerator == "cpu"]
    assert found
    for launch in found:
        assert embedded_options().parse_args(launch.argv[1:])


def test_every_launch_is_offline_silent_and_free_of_remote_code():
    for one, launch in launches():
        assert not any("trust-remote-code" in word for word in launch.argv)
        if one.engine == "llama.cpp":
            assert "--offline" in launch.argv
            continue
        for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"):
            assert launch.environment[variable] == "1"


def test_no_launch_carries_a_key_only_the_file_that_holds_it():
    for one, launch in launches():
        assert PLACE.keys_file in launch.argv
        assert "--api-key" not in launch.argv and "VLLM_API_KEY" not in launch.environment
        assert not any("$" in word for word in launch.argv), one


def test_caches_lie_below_the_one_writable_folder():
    for _, launch in launches():
        for name, value in launch.environment.items():
            if name.endswith(("_HOME", "_DIR", "_ROOT", "_BASE", "_PATH")) or name == "HOME":
                assert value.startswith(PLACE.writable), name
        assert "/tmp" in launch.writable


def test_an_accelerator_is_reached_and_a_published_image_named():
    for one, launch in launches():
        assert launch.image is None or ":" in launch.image
        if one.accelerator != "cpu":
            assert launch.resource and launch.image


def test_the_devices_of_one_machine_can_be_told_apart():
    for one, launch in launches():
        counted = any("{n}" in node for node in launch.devices)
        assert one.accelerator == "cpu" or launch.resource == "nvidia.com/gpu" or counted != bool(launch.visible), one


def test_followers_answer_nobody_and_every_node_is_told_its_leader():
    several = [one for one, _ in launches() if one.nodes > 1]
    assert several
    for one in several:
        adapter = find_engine_adapter(one.engine)
        leader = adapter.launch(one, replace(PLACE, leader_address="10.0.0.1"))
        follower = adapter.launch(one, replace(PLACE, leader_address="10.0.0.1", node_rank="1"))
        assert leader.serves_http and not follower.serves_http
        for launch in (leader, follower):
            assert any(word.startswith("10.0.0.1") for word in launch.argv)


ASCEND = {"engine": "vllm-ascend", "engine_version": "0.11.0", "accelerator": "ascend-910b3"}
SOME = Deployment("deepseek-r1", "fp8-block", "vllm", "0.32.0", "h200-141gb", 8, 1, 1, 8, 1, 1, False, 32768, 64, 0.9)


def test_a_version_outside_the_tables_is_refused_with_the_nearest():
    with pytest.raises(UnknownEngineVersion) as refused:
        find_engine_adapter("vllm").refuse(replace(SOME, engine_version="0.31.5"))
    assert refused.value.exit_code == 2 and "0.32.0" in str(refused.value.hint)


SGLANG_ON_ASCEND = replace(
    SOME, model_id="deepseek-r1-0528", format="w8a8-int8", engine="sglang", engine_version="0.5.18",
    accelerator="ascend-910b3", nodes=2, tensor_parallel=16,
)  # fmt: skip


@pytest.mark.parametrize(
    ("accelerator", "version", "near"),
    [("ascend-910b3", "0.5.23", "0.5.18"), ("h200-141gb", "0.5.18", "0.5.23"), ("mi300x", "0.5.23", "0.5.21")],
)
def test_a_release_is_refused_where_its_image_is_not(accelerator, version, near):
    with pytest.raises(UnknownEngineVersion) as refused:
        find_engine_adapter("sglang").refuse(replace(SGLANG_ON_ASCEND, accelerator=accelerator, engine_version=version))
    assert near in str(refused.value.hint)


@pytest.mark.parametrize(
    "change",
    [
        {"expert_parallel": True},
        {"pipeline_parallel": 2, "tensor_parallel": 8},
        {"data_parallel": 2},
        {"kv_cache_dtype": "fp8"},
        {"model_id": "deepseek-v3.2"},
    ],
)
def test_sglang_on_ascend_runs_what_its_makers_say_and_no_more(change):
    adapter = find_engine_adapter("sglang")
    words = adapter.launch(SGLANG_ON_ASCEND, PLACE).argv
    assert words[words.index("--attention-backend") + 1] == "ascend"
    with pytest.raises(EngineCannotRun) as refused:
        adapter.launch(replace(SGLANG_ON_ASCEND, **change), PLACE)
    assert refused.value.message.render("zh") and refused.value.exit_code == 14


@pytest.mark.parametrize(
    ("change", "near"),
    [
        (ASCEND | {"format": "awq-int4"}, "w8a8"),
        ({"accelerator": "v100-sxm2-32gb"}, "-"),
        ({"accelerator": "h20-96gb", "format": "gguf-ud-iq1_s"}, "llama.cpp"),
        ({"tensor_parallel": 4}, "8"),
        ({"format": "gguf-ud-iq1_s", "engine": "llama.cpp", "engine_version": "b11382", "nodes": 2}, ""),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_with_what_can(change, near):
    wanted = replace(SOME, **change)
    adapter = find_engine_adapter(wanted.engine)
    for judged in (adapter.refuse, lambda one: adapter.launch(one, PLACE)):
        with pytest.raises(EngineCannotRun) as refused:
            judged(wanted)
        assert refused.value.exit_code == 14 and near in str(refused.value.hint)


@pytest.mark.parametrize(
    "machines", ["h200-141gb 8 1", "h20-96gb 8 2", "mi300x 8 1", "ascend-910b3 8 2", "rtx4090 1 1"]
)
def test_what_the_planner_chooses_can_be_launched(machines):
    chip, devices, nodes = machines.split()
    asked = ("--accelerator", chip, "--count", devices, "--nodes", nodes, "--users", "8", "--context", "8192")
    chosen = Deployment(**run_json("plan", *asked)["data"]["deployment"])
    assert find_engine_adapter(chosen.engine).launch(chosen, PLACE).image


def test_a_launch_asks_no_network(monkeypatch):
    def refused(*words, **named):
        raise AssertionError("a launch opened a socket")

    monkeypatch.setattr(socket, "socket", refused)
    assert find_engine_adapter("vllm").launch(SOME, PLACE) == find_engine_adapter("vllm").launch(SOME, PLACE)


@pytest.mark.parametrize("words", [key_in_environment("/k", "x", cann=True), key_in_arguments("/k", "m", "--a", "b")])
def test_what_reads_the_key_is_python_that_no_target_expands(words):
    ast.parse(words[2])
    assert "$" not in words[2] and words[3] == "/k"


def started(words: tuple[str, ...], **environment: str) -> subprocess.CompletedProcess[str]:
    everything = os.environ | environment
    return subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, env=everything)


def test_the_key_reaches_the_engine_and_is_struck_from_its_log(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("first-key\nsecond-key\n")
    said = "import logging, sys\nlogging.warning('arguments %s', sys.argv)\nprint(sys.argv[1:])\n"
    (tmp_path / "an_engine.py").write_text(said)
    done = started(key_in_arguments(str(keys), "an_engine", "--port", "1"), PYTHONPATH=str(tmp_path))
    assert ast.literal_eval(done.stdout) == ["--port", "1", "--api-key=first-key"]
    assert "***" in done.stderr and "first-key" not in done.stderr
    done = started(key_in_environment(str(keys), "sh", "-c", 'echo "$VLLM_API_KEY"'))
    assert done.stdout == "first-key\n"


def test_between_nodes_an_engine_learns_by_which_address_the_others_reach_it(tmp_path):
    """Loopback stands for the network: another host is beyond a unit test."""
    (tmp_path / "keys").write_text("first-key\n")
    said = 'echo "$VLLM_HOST_IP $HCCL_IF_IP $GLOO_SOCKET_IFNAME $NCCL_SOCKET_IFNAME"'
    words = key_in_environment(str(tmp_path / "keys"), "sh", "-c", said, peer="127.0.0.1")
    assert started(words).stdout == "127.0.0.1 127.0.0.1 lo lo\n"
    assert started(words, GLOO_SOCKET_IFNAME="ib0").stdout == "127.0.0.1 127.0.0.1 ib0 lo\n"
    lost = started(key_in_environment(str(tmp_path / "keys"), "sh", "-c", said, peer="no-such-node.invalid"))
    assert lost.returncode == 1 and "no way to no-such-node.invalid" in lost.stderr and not lost.stdout


def test_ascend_starts_with_what_its_images_entrypoint_would_have_sourced(tmp_path):
    for one, launch in launches():
        assert ("ascend-toolkit/set_env.sh" in launch.argv[2]) == one.accelerator.startswith("ascend")
    found = next(launch for one, launch in launches() if one.engine == "vllm-ascend")
    code = found.argv[2].replace("/usr/local/Ascend", str(tmp_path))
    (tmp_path / "keys").write_text("first-key\n")
    told = "import os; print(os.environ['VLLM_API_KEY'], os.environ.get('COMPILER'), os.environ.get('LIBRARIES'))"
    words = ("python3", code, str(tmp_path / "keys"), sys.executable, "-c", told)
    start = lambda: subprocess.run([sys.executable, "-c", *words[1:]], capture_output=True, text=True)  # noqa: E731
    assert start().stdout == "first-key None None\n"
    compiler = tmp_path / "cann-9.0.0" / "share" / "info" / "ascendnpu-ir" / "bin"
    for folder, script in ((tmp_path / "ascend-toolkit", "export LIBRARIES='a=b c'\n"), (compiler, "COMPILER=there\n")):
        folder.mkdir(parents=True)
        (folder / "set_env.sh").write_text(f"echo noise\nexport COMPILER\n{script}")
    assert start().stdout == "first-key there a=b c\n"
    (compiler / "set_env.sh").write_text("false\n")
    refused = start()
    assert refused.returncode == 1 and "cannot be read" in refused.stderr and not refused.stdout


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_peer_goes_before_the_words_and_changes_no_other(engine):
    one = next(one for one, _ in launches() if one.engine == engine and one.nodes == 2)
    adapter = find_engine_adapter(engine)
    alone, told = (adapter.launch(one, replace(PLACE, peer_address=peer)).argv for peer in ("", "node-b"))
    assert told[3] == "node-b" and told[4:] == alone[3:] and told[2].endswith(alone[2])


@pytest.mark.parametrize("words", [key_in_environment("KEYS", "echo"), key_in_arguments("KEYS", "this")])
def test_a_file_without_a_key_opens_no_door(words, tmp_path):
    (tmp_path / "keys").write_text("\n")
    done = started(tuple(str(tmp_path / "keys") if word == "KEYS" else word for word in words))
    assert done.returncode == 1 and "holds no key" in done.stderr and not done.stdout
