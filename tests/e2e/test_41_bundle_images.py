"""Images in a bundle: out of a real Docker Engine, and into it again."""

import io
import json
import shutil
import subprocess
import tarfile

import pytest

from tests.program import PROGRAM, environment, free_port, run, run_json

pytestmark = pytest.mark.docker
NAME = "dsdeploy-test/carried:1"


def put(docker_engine) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as layer:
        layer.addfile(tarfile.TarInfo("hello"))
    repository, tag = NAME.split(":")
    docker_engine.api.import_image_from_data(content.getvalue(), repository, tag)


@pytest.fixture
def image(docker_engine):
    put(docker_engine)
    yield docker_engine.images.get(NAME).id
    docker_engine.images.remove(NAME, force=True)


@pytest.mark.parametrize("target", ["process", "compose"])
def test_images_arrive_as_they_were(docker_engine, fetched, image, tmp_path, target):
    from dsdeploy.adapters.targets.compose import ComposeTarget
    from dsdeploy.adapters.targets.compose.docker_engine import has_image

    plan, out, home = tmp_path / "plan.yaml", tmp_path / "medium", tmp_path / "site"
    assert run("plan", "--model", "smoke", "--target", target, "--out", str(plan)).returncode == 0
    build = ["bundle", "create", str(plan), "--home", str(fetched), "--output", str(out), "--allow-unsigned"]
    missing = run_json(*build, "--image", "dsdeploy-test/nowhere:9")
    assert missing["errors"][0]["code"] == "ImageMissing" and missing["exit_code"] == 13
    assert run_json(*build, "--image", NAME)["status"] == "ok"
    assert not out.with_name("medium.images").exists()
    docker_engine.images.remove(NAME, force=True)
    own = ComposeTarget().images
    were_here = [one for one in (own.engine, own.gateway) if has_image(docker_engine, one)]
    for one in were_here if target == "compose" else ():
        docker_engine.images.remove(one, force=True)
    loaded = run_json("bundle", "load", "--from", str(out), "--home", str(home), "--allow-unsigned")
    assert loaded["status"] == "ok", loaded
    assert docker_engine.images.get(NAME).id == image
    for one in (own.engine, own.gateway) if target == "compose" else ():
        assert has_image(docker_engine, one)
        if one not in were_here:
            docker_engine.images.remove(one, force=True)


def test_a_build_that_was_cut_off_needs_no_archive_that_is_carried(docker_engine, fetched, image, tmp_path):
    """A limit on the size of files ends it in the weights, behind the image, which may then leave the engine; what is
    asked later may begin it anew."""
    plan, out = tmp_path / "plan.yaml", tmp_path / "medium"
    staging = out.with_name("medium.images")
    assert run("plan", "--model", "smoke", "--target", "process", "--out", str(plan)).returncode == 0
    build = ["bundle", "create", str(plan), "--home", str(fetched), "--output", str(out), "--allow-unsigned"]
    build += ["--image", NAME]
    for _ in range(2):
        cut = ["prlimit", "--fsize=100000000", *PROGRAM, *build, "--json"]
        told = subprocess.run(cut, capture_output=True, text=True, env=environment()).stdout
        assert json.loads(told)["errors"][0]["code"] == "BundleNoRoom"
        assert [one.name.rpartition(".tar")[2] for one in staging.iterdir()] == [".carried"]
    shutil.copytree(out, tmp_path / "other")
    shutil.copytree(staging, tmp_path / "other.images")
    docker_engine.images.remove(NAME, force=True)
    for words in (build, [*build, "--include", str(plan)]):
        words[words.index("--output") + 1] = str(out)
        assert run_json(*words)["status"] == "ok"
        assert run_json("bundle", "verify", "--from", str(out), "--allow-unsigned")["status"] == "ok"
        assert not out.with_name(out.name + ".images").exists()
        out = tmp_path / "other"
        put(docker_engine)


def test_one_command_installs_compose_from_a_medium(docker_engine, fetched, tmp_path):
    """The engine's image comes out of the bundle: nothing is built at the site."""
    plan, out, home = tmp_path / "plan.yaml", tmp_path / "medium", str(tmp_path / "site")
    words = ("--model", "smoke", "--users", "2", "--target", "compose", "--port", str(free_port()), "--out", str(plan))
    assert run("plan", *words).returncode == 0
    build = ("bundle", "create", str(plan), "--home", str(fetched), "--output", str(out), "--allow-unsigned")
    assert run_json(*build)["status"] == "ok"
    try:
        done = run_json("install", str(out), "--home", home, "--allow-unsigned", "--yes")
        assert done["status"] == "ok", done
        assert "build-image" not in [one["action"] for one in done["data"]["operations"]]
        assert run_json("status", "--home", home)["data"][0]["service"]["state"] == "running"
    finally:
        assert run("uninstall", "--home", home, "--yes").returncode == 0
