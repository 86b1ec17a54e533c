import hashlib
import io
import json
import tarfile
from dataclasses import replace

import pytest

from dsdeploy.adapters.images.archive import ImageFile, ImageSpec, describe_image, image_archive
from dsdeploy.core.errors import InstallError


@pytest.fixture
def spec(tmp_path) -> ImageSpec:
    (tmp_path / "program").write_bytes(b"x" * 3_000_000)
    return ImageSpec(
        name="dsdeploy/test", version="1", entrypoint=("/usr/bin/program",), environment=("HOME=/tmp",), user="1:1",
        files=(ImageFile("/usr/bin/program", tmp_path / "program", executable=True), ImageFile("/etc/a", b"abc")),
        labels={"a": "b"},
    )  # fmt: skip


def opened(image) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(image_archive(image)))) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}


def test_an_archive_holds_what_its_ids_say(spec):
    image = describe_image(spec)
    files = opened(image)
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    (old,) = json.loads(files["manifest.json"])
    assert old["RepoTags"] == ["dsdeploy/test:1"] and old["Config"].endswith(image.id.removeprefix("sha256:"))
    (new,) = json.loads(files["index.json"])["manifests"]
    assert new["digest"] == image.manifest_digest
    manifest = json.loads(files[f"blobs/sha256/{image.manifest_digest.removeprefix('sha256:')}"])
    assert manifest["config"]["digest"] == image.id and manifest["layers"][0]["size"] == image.layer_bytes
    with tarfile.open(fileobj=io.BytesIO(files[old["Layers"][0]])) as layer:
        modes = {one.name: one.mode for one in layer}
    folders = {"etc": 0o755, "tmp": 0o1777, "usr": 0o755, "usr/bin": 0o755}
    assert modes == folders | {"etc/a": 0o644, "usr/bin/program": 0o755}


def test_an_image_says_how_it_is_stopped_only_where_asked(spec):
    def told(one: ImageSpec) -> dict:
        image = describe_image(one)
        return json.loads(opened(image)[f"blobs/sha256/{image.id.removeprefix('sha256:')}"])["config"]

    assert told(replace(spec, stop_signal="SIGUSR1"))["StopSignal"] == "SIGUSR1" and "StopSignal" not in told(spec)


def test_the_same_files_give_the_same_id_whatever_their_order_and_age(spec, tmp_path):
    first = describe_image(spec)
    (tmp_path / "program").touch()
    assert describe_image(replace(spec, files=spec.files[::-1])).id == first.id
    (tmp_path / "program").write_bytes(b"y" * 3_000_000)
    assert describe_image(spec).id != first.id


def test_a_file_that_changes_or_vanishes_meanwhile_is_named(spec, tmp_path):
    image = describe_image(spec)
    archive = image_archive(image)
    (tmp_path / "program").write_bytes(b"longer" * 1_000_000)
    with pytest.raises((InstallError, OSError)):
        b"".join(archive)
    (tmp_path / "program").unlink()
    with pytest.raises(InstallError) as caught:
        describe_image(spec)
    assert "program" in caught.value.message.render("en")
