"""While the place of a release cannot be reached it is watched on, and help is packed."""

import json
import tarfile
from types import SimpleNamespace

import pytest

from dsdeploy.core.errors import InstallError
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import SILENT
from dsdeploy.core.texts import text
from dsdeploy.workflows.life import support_bundle, watch
from tests.unit.test_check import checked, finding

AWAY = InstallError(text("check-unhealthy", status=503), hint=text("check-unhealthy-hint"))


@pytest.fixture
def looks(monkeypatch):
    """What each look finds; a wait after the last one is interrupted by the user."""
    left = []

    def look(*_):
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return now.data

    def wait(_):
        if not left:
            raise KeyboardInterrupt

    monkeypatch.setattr("dsdeploy.adapters.releases.load_release", lambda *_: checked(finding("pass")).data.release)
    monkeypatch.setattr("dsdeploy.workflows.life.installed_plan", lambda _: None)
    monkeypatch.setattr("dsdeploy.stages.check.check_release", look)
    monkeypatch.setattr("time.sleep", wait)
    return left


def watched(tmp_path):
    watch(Layout(tmp_path), None, tmp_path / "out.prom", None, 1, (), SILENT, once=False)


def test_a_look_that_cannot_be_made_leaves_the_last_one_and_the_next_is_taken(looks, tmp_path):
    looks[:] = [checked(finding("pass")), AWAY, checked(finding("fail"))]
    with pytest.raises(KeyboardInterrupt):
        watched(tmp_path)
    assert 'dsdeploy_check_verdict{release="default",verdict="fail"} 1' in (tmp_path / "out.prom").read_text()


def test_a_place_that_never_answered_is_named(looks, tmp_path):
    looks[:] = [AWAY]
    with pytest.raises(InstallError):
        watched(tmp_path)
    assert not (tmp_path / "out.prom").exists()


def test_a_support_bundle_says_why_its_place_could_not_be_checked(looks, tmp_path, monkeypatch):
    looks[:] = [AWAY]
    bare = SimpleNamespace(logs=lambda *_: (), observe=lambda _: {}, workloads=lambda _: (), evidence=lambda _: ())
    monkeypatch.setattr("dsdeploy.adapters.targets.find_target", lambda _: bare)
    support_bundle(Layout(tmp_path), None, tmp_path / "s.tar.gz", 10, "en", SILENT)
    with tarfile.open(tmp_path / "s.tar.gz") as archive:
        said = json.load(archive.extractfile("dsdeploy-support/check.json"))
    assert said["errors"][0]["message"] == AWAY.message.render("en") and said["status"] == "error"
