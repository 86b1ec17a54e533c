"""What Helm says is read for what it means: a role that is not found is no release that is not found."""

import pytest

from dsdeploy.adapters.targets.kubernetes.helm import Helm
from dsdeploy.core.errors import InstallError

ROLE = 'secrets is forbidden: User "x" cannot list: RBAC: role.rbac.authorization.k8s.io "least" not found'


@pytest.fixture
def says(tmp_path, monkeypatch):
    """A program of Helm's name that fails with these words."""

    def saying(words: str) -> Helm:
        program = tmp_path / "helm"
        program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 1\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return Helm("context", "namespace")

    return saying


def test_only_a_release_that_is_not_found_is_none(says):
    assert says("Error: release: not found").status("default") is None
    with pytest.raises(InstallError) as caught:
        says(f"Error: {ROLE}").status("default")
    assert ROLE in caught.value.message.render("en")


def test_what_its_libraries_log_is_left_out_of_the_reason(says):
    noise = 'I1127 03:11:39.9 1 reflector.go:664] "Warning: watch ended"\nlevel=WARN msg="upgrade failed" name=default'
    with pytest.raises(InstallError) as caught:
        says(f"{noise}\nError: UPGRADE FAILED: it is forbidden").status("default")
    assert caught.value.message.values["reason"] == "UPGRADE FAILED: it is forbidden"
