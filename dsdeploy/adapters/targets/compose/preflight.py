"""What must be true of this machine and of the release's secrets before anything is changed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsdeploy.adapters.gateway import certificate
from dsdeploy.adapters.gateway.keys import read_keys, read_secrets
from dsdeploy.adapters.ports import port_holder
from dsdeploy.adapters.targets.compose.binary import compose_command
from dsdeploy.adapters.targets.compose.docker_engine import containers_of
from dsdeploy.core.errors import PortTaken
from dsdeploy.core.layout import CERTIFICATE_FILE, CERTIFICATE_KEY_FILE, compose_project
from dsdeploy.core.texts import text
from dsdeploy.core.values import Finding, Release

if TYPE_CHECKING:
    from docker import DockerClient

_FOLDER_LABEL = "com.docker.compose.project.working_dir"
_MAPPED = ("name=rootless", "name=userns")


def findings(client: "DockerClient", release: Release) -> tuple[Finding, ...]:
    """Raises RuntimeMissing, PortTaken, SecretsOpen, KeysUnreadable, CertificateUnusable."""
    version = str(client.version()["Version"])
    words = " ".join(compose_command())
    return (
        Finding("container-runtime", "pass", text("docker-answers", version=version, compose=words)),
        _user_mapping(client),
        _name_free(client, release),
        _port_free(client, release),
        _secrets_usable(release),
    )


def _user_mapping(client: "DockerClient") -> Finding:
    options: list[str] = client.info().get("SecurityOptions") or []
    if any(one.startswith(_MAPPED) for one in options):
        return Finding("user-mapping", "fail", text("docker-maps-users"), text("docker-maps-users-hint"))
    return Finding("user-mapping", "pass", text("docker-keeps-users"))


def _name_free(client: "DockerClient", release: Release) -> Finding:
    """A project's name is one for the whole engine, a release's only for one home."""
    project = compose_project(release.name)
    for one in containers_of(client, project):
        folder = one.labels.get(_FOLDER_LABEL)
        if folder != release.folder:
            message = text("project-taken", project=project, folder=folder)
            return Finding("release-name-free", "fail", message, text("project-taken-hint"))
    return Finding("release-name-free", "pass", text("project-free", project=project))


def _port_free(client: "DockerClient", release: Release) -> Finding:
    if any(_publishes(one, release.port) for one in containers_of(client, compose_project(release.name))):
        return Finding("port-free", "pass", text("port-is-ours", port=release.port))
    if port_holder(release.port) is not None:
        raise port_taken(client, release)
    return Finding("port-free", "pass", text("port-is-free", host=release.host, port=release.port))


def port_taken(client: "DockerClient", release: Release) -> PortTaken:
    others = (one for one in client.containers.list(ignore_removed=True) if _publishes(one, release.port))
    who = next((f"container {one.name}" for one in others), None) or port_holder(release.port) or "?"
    return PortTaken(text("port-taken", host=release.host, port=release.port, who=who), hint=text("port-not-free-hint"))


def _publishes(container: Any, port: int) -> bool:
    published = container.attrs["NetworkSettings"]["Ports"] or {}
    return any(int(one["HostPort"]) == port for many in published.values() for one in many or ())


def _secrets_usable(release: Release) -> Finding:
    """The certificate's state. Raises SecretsOpen, KeysUnreadable, CertificateUnusable for what lies there wrong."""
    read_keys(release)
    read_secrets(release)
    if certificate.due(release):
        return Finding("certificate-valid", "pass", text("certificate-to-come"))
    folder = Path(release.folder)
    ends = certificate.examine(folder / CERTIFICATE_FILE, folder / CERTIFICATE_KEY_FILE, release.host)
    return Finding("certificate-valid", "pass", text("certificate-good", ends=f"{ends:%F}", host=release.host))
