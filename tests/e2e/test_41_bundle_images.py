"""Images in a bundle: out of a real Docker Engine, and into it again."""

import io
import tarfile

import pytest

from tests.program import run, run_json

pytestmark = pytest.mark.docker
NAME = "dsdeploy-test/carried:1"


@pytest.fixture
def image(docker_engine):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as layer:
        layer.addfile(tarfile.TarInfo("hello"))
    repository, tag = NAME.split(":")
    docker_engine.api.import_image_from_data(content.getvalue(), repository, tag)
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
    own = (ComposeTarget().images.engine, ComposeTarget().images.gateway)
    was_here = [one for one in own if has_image(docker_engine, one)]
    for one in was_here if target == "compose" else ():
        docker_engine.images.remove(one, force=True)
    loaded = run_json("bundle", "load", "--from", str(out), "--home", str(home), "--allow-unsigned")
    assert loaded["status"] == "ok", loaded
    assert docker_engine.images.get(NAME).id == image
    assert target == "process" or all(has_image(docker_engine, one) for one in own)
    for one in own if target == "compose" else ():
        if one not in was_here:
            docker_engine.images.remove(one, force=True)
