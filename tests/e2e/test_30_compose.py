"""A release on a real Docker Engine: real image, real model, real refusals."""

import json
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from dsdeploy.adapters.images.archive import describe_image
from dsdeploy.adapters.images.gateway import gateway_image
from dsdeploy.adapters.images.llamacpp import PYTHON, llamacpp_image
from dsdeploy.adapters.targets.compose import ComposeTarget
from dsdeploy.adapters.targets.compose.docker_engine import connect, containers_of, has_image, networks_of
from dsdeploy.core.errors import PortTaken
from dsdeploy.core.values import Release
from tests.compose_release import ask, container, install, key_of, release_of, rendered_for, uninstall
from tests.program import free_port, wait_until

pytestmark = pytest.mark.docker
CHAT_PATH = "/v1/chat/completions"
CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}


@pytest.fixture(scope="module")
def running(docker_engine, compose_plan, small_weights, tmp_path_factory):
    target = ComposeTarget()
    release = release_of("e2e", compose_plan, small_weights, tmp_path_factory.mktemp("releases"))
    rendered = rendered_for(target, compose_plan, release)
    try:
        install(target, release, rendered)
        yield target, release, rendered
    finally:
        uninstall(target, release)


def inside(release: Release, code: str) -> str:
    code_, output = container(release, "engine").exec_run([*PYTHON, "-c", code])
    assert code_ == 0, output
    return output.decode()


def test_it_answers_with_the_key_and_refuses_without(running):
    _, release, _ = running
    status, body = ask(release, CHAT_PATH, key_of(release), CHAT)
    assert status == 200 and json.loads(body)["choices"][0]["message"]["content"].strip()
    assert ask(release, CHAT_PATH, None, CHAT)[0] == 401
    assert ask(release, CHAT_PATH, "dsk-wrong", CHAT)[0] == 401


def test_it_streams_through_the_gateway(running):
    _, release, _ = running
    status, body = ask(release, CHAT_PATH, key_of(release), CHAT | {"stream": True})
    assert status == 200 and body.rstrip().endswith("data: [DONE]")


def test_its_containers_are_closed(running):
    _, release, _ = running
    for service in ("engine", "gateway"):
        attrs = container(release, service).attrs
        host = attrs["HostConfig"]
        assert attrs["Config"]["User"].split(":")[0] not in ("", "0", "root")
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["PidsLimit"] > 0 and host["Memory"] > 0
        assert "/var/run/docker.sock" not in json.dumps(attrs["Mounts"])
        assert key_of(release) not in json.dumps(attrs)
    assert container(release, "engine").attrs["HostConfig"]["PortBindings"] in ({}, None)
    status = inside(release, "print(open('/proc/self/status').read().strip())")
    told = dict(line.split(":", 1) for line in status.splitlines())
    assert int(told["CapBnd"], 16) == int(told["CapEff"], 16) == 0 and told["NoNewPrivs"].strip() == "1"


def test_nothing_but_the_temporary_folder_can_be_written_and_there_is_no_shell(running):
    _, release, _ = running
    code = """
import os
for path in ('/x', '/etc/x', '/weights/x', '/opt/dsdeploy/x', '/run/secrets/engine-key', '/tmp/x'):
    try:
        open(path, 'a').close(); print('open', path)
    except OSError as error:
        print('shut', path)
print('shells', sorted(os.listdir('/usr/bin')), os.path.exists('/bin'))
"""
    shut = ("/x", "/etc/x", "/weights/x", "/opt/dsdeploy/x")
    told = inside(release, code).splitlines()
    assert [f"shut {one}" for one in shut] == told[:4]
    assert told[5:] == ["open /tmp/x", "shells ['llama-server', 'python3'] False"]


def test_the_engine_reaches_neither_the_world_nor_this_host(running):
    """Real attempts: to a listener of this host on each of its addresses, to a public address, and by name."""
    _, release, _ = running
    with socket.create_server(("0.0.0.0", 0), backlog=16) as listener:
        port = listener.getsockname()[1]
        addresses = host_addresses()
        with socket.create_connection((addresses[0], port), timeout=5):
            pass  # the listener can be reached: from here
        code = f"""
import socket
for host, port in {[*((one, port) for one in addresses), ("1.1.1.1", 443), ("8.8.8.8", 53)]!r}:
    try:
        socket.create_connection((host, port), timeout=1); print('REACHED', host, port)
    except OSError:
        pass
try:
    print('RESOLVED', socket.gethostbyname('example.com'))
except OSError:
    pass
print('gateway', socket.create_connection(('gateway', 8443), timeout=2) is not None)
"""
        assert inside(release, code).splitlines() == ["gateway True"]


def host_addresses() -> list[str]:
    import psutil

    of_host = [one.address for many in psutil.net_if_addrs().values() for one in many if one.family == socket.AF_INET]
    gateways = [
        str(one["Gateway"])
        for network in connect().networks.list() for one in (network.attrs["IPAM"]["Config"] or ()) if "Gateway" in one
    ]  # fmt: skip
    return [one for one in dict.fromkeys((*of_host, *gateways)) if not one.startswith("127.")]


def test_it_is_published_where_the_plan_says_and_nowhere_else(running):
    _, release, _ = running
    import psutil

    heard = {
        one.laddr.ip for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port == release.port
    }  # fmt: skip
    assert heard == {"127.0.0.1"}


def test_a_second_install_has_nothing_to_do(running):
    target, release, rendered = running
    assert install(ComposeTarget(), release, rendered) == []
    assert target.observe(release).state == "running"


def test_the_same_machine_makes_the_same_image(running):
    assert describe_image(llamacpp_image()).id == ComposeTarget().images.engine
    assert describe_image(gateway_image()).id == ComposeTarget().images.gateway
    assert has_image(connect(), ComposeTarget().images.gateway)


def test_a_killed_engine_comes_back(running):
    target, release, rendered = running
    os.kill(target.observe(release).engine_pid, signal.SIGKILL)
    wait_until(lambda: target.observe(release).restarts == 1 and target.observe(release).state == "running")
    wait_until(lambda: ask(release, CHAT_PATH, key_of(release), CHAT)[0] == 200)
    wait_until(lambda: target.pending(release, rendered) == ())


def test_a_new_key_takes_effect_with_the_next_install(running):
    target, release, rendered = running
    old = key_of(release)
    (Path(release.folder) / "secrets" / "api-keys").unlink()
    actions = install(target, release, rendered)
    assert actions == ["create-key", "grant-secrets"]
    wait_until(lambda: ask(release, "/v1/models", key_of(release))[0] == 200)
    assert ask(release, "/v1/models", old)[0] == 401


def test_an_install_killed_while_containers_start_is_completed_by_the_next(other, compose_plan):
    target = ComposeTarget()
    rendered = rendered_for(target, compose_plan, other)
    child = os.fork()
    if child == 0:
        try:
            install(ComposeTarget(), other, rendered)
        finally:
            os._exit(0)
    wait_until(lambda: any("engine" in one.name for one in containers_of(connect(), "dsdeploy-e2e-other")))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    install(target, other, rendered)
    assert target.pending(other, rendered) == () and ask(other, "/health")[0] == 200


def test_removal_leaves_only_weights(docker_engine, compose_plan, small_weights, tmp_path):
    target = ComposeTarget()
    release = replace(release_of("e2e-gone", compose_plan, small_weights, tmp_path), port=free_port())
    install(target, release, rendered_for(target, compose_plan, release))
    before = Path(small_weights.directory, small_weights.main_file).stat()
    assert uninstall(target, release)[0] == "compose-down"
    assert containers_of(connect(), "dsdeploy-e2e-gone") == () == networks_of(connect(), "dsdeploy-e2e-gone")
    assert not Path(release.folder).exists()
    assert Path(small_weights.directory, small_weights.main_file).stat() == before


def test_a_taken_port_is_named_with_who_holds_it(other, running):
    with socket.create_server((other.host, other.port)), pytest.raises(PortTaken) as caught:
        ComposeTarget().preflight(other)
    assert f"pid {os.getpid()}" in caught.value.message.render("en")
    _, release, _ = running
    with pytest.raises(PortTaken) as caught:
        ComposeTarget().preflight(replace(other, port=release.port))
    assert "dsdeploy-e2e-gateway" in caught.value.message.render("en")
