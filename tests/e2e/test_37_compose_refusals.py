"""What goes wrong on a real Docker Engine, and how it is named."""

import os
import socket
from dataclasses import replace

import pytest

from dsdeploy.adapters.engines.llamacpp.launch import LlamaCpp
from dsdeploy.adapters.images.archive import ImageFile, ImageSpec
from dsdeploy.adapters.images.llamacpp import llamacpp_image
from dsdeploy.adapters.targets.compose import ComposeTarget
from dsdeploy.adapters.targets.compose.docker_engine import connect
from dsdeploy.core.deployment import Launch, Place
from dsdeploy.core.errors import EngineDied, EngineNotHealthy, ImageAbsent, PortTaken, RuntimeMissing, RuntimeRefused
from dsdeploy.core.values import WeightFile, Weights
from dsdeploy.stages.render_compose import render_compose
from tests.compose_release import install, rendered_for

pytestmark = pytest.mark.docker


def test_an_engine_that_dies_at_once_is_named_with_its_last_words(other, compose_plan, tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"no GGUF at all")
    file = WeightFile("broken.gguf", 14, "")
    broken = Weights("smoke", compose_plan.format, "directory", None, str(tmp_path), (file,))
    release = replace(other, weights=broken)
    target = ComposeTarget()
    with pytest.raises(EngineDied) as caught:
        install(target, release, rendered_for(target, compose_plan, release))
    assert "broken.gguf" in caught.value.message.render("en")
    assert target.observe(release).state in ("failed", "stopped")
    repaired = rendered_for(target, compose_plan, other)
    assert install(target, other, repaired)[-1] == "compose-up" and target.pending(other, repaired) == ()


def test_an_engine_that_never_becomes_healthy_is_named_with_its_last_words(other, compose_plan):
    silent = b"#!/usr/bin/python3 -BS\nimport time; print('thinking it over', flush=True); time.sleep(900)\n"
    program = ImageFile("/usr/bin/llama-server", silent, executable=True)

    def mute() -> ImageSpec:
        spec = llamacpp_image()
        kept = tuple(one for one in spec.files if one.place != program.place)
        return replace(spec, version="silent", files=(*kept, program))

    target = ComposeTarget(mute)
    rendered = rendered_for(target, compose_plan, other)
    hasty = rendered.files[1].content.replace("start_period: 62s", "start_period: 1s").replace("5s", "1s")
    files = (rendered.files[0], replace(rendered.files[1], content=hasty), *rendered.files[2:])
    rendered = replace(rendered, files=files)
    with pytest.raises(EngineNotHealthy) as caught:
        install(target, other, rendered)
    assert "thinking it over" in caught.value.message.render("zh")


def test_an_image_that_is_not_here_is_named_and_nothing_is_pulled(other, compose_plan):
    target, absent = ComposeTarget(), f"nowhere/engine@sha256:{'0' * 64}"

    def elsewhere(place: Place) -> Launch:
        return replace(LlamaCpp().launch(compose_plan.deployment, place), image=absent)

    files = render_compose(compose_plan, "the plan\n", other, elsewhere, target.images)
    with pytest.raises(ImageAbsent) as caught:
        target.pending(other, files)
    assert absent in caught.value.message.render("en")


def test_a_port_taken_after_the_preflight_is_named_too(other, compose_plan):
    target = ComposeTarget()
    rendered = rendered_for(target, compose_plan, other)
    operations = target.pending(other, rendered)
    with socket.create_server((other.host, other.port)), pytest.raises(PortTaken):
        for operation in operations:
            target.apply(operation, other, rendered)
    install(target, other, rendered)
    assert target.pending(other, rendered) == ()


def test_no_docker_and_a_silent_docker_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(RuntimeRefused):
        connect()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeMissing):
        connect()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not use Docker")
def test_a_user_without_permission_is_told_of_the_group(docker_engine):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setuid(65534)
        try:
            connect()
        except Exception as error:
            os.write(writer, f"{type(error).__name__} {error.hint.render('en')}".encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    told = os.read(reader, 1000).decode()
    assert told.startswith("RuntimeRefused") and "group docker" in told
