"""How containers really run: what Docker was told of them, corrected by what the kernel says of their processes."""

from dataclasses import replace
from typing import Any

from dsdeploy.adapters.images.llamacpp import PYTHON
from dsdeploy.adapters.workloads import read_process
from dsdeploy.core.values import Workload

_DEFAULT_CAPABILITIES = ("docker's default set",)


def workloads(containers: tuple[Any, ...]) -> tuple[Workload, ...]:
    """Engines first."""
    running = [one for one in containers if one.status == "running"]
    ordered = sorted(running, key=lambda one: (not _service(one).startswith("engine"), _service(one)))
    return tuple(_workload(_service(one), one) for one in ordered)


def run_python(container: Any, code: str) -> str | None:
    """None where the image holds no Python or the container does not run."""
    from docker.errors import APIError

    for python in (PYTHON, ("python3",)):
        try:
            exit_code, said = container.exec_run([*python, "-c", code])
        except APIError:
            continue
        if not exit_code:
            return str(said.decode(errors="replace"))
    return None


def _service(container: Any) -> str:
    return str(container.labels.get("com.docker.compose.service", container.name))


def _workload(name: str, container: Any) -> Workload:
    """A remote or mapped engine's process is not this machine's: then Docker's own words stand alone."""
    attributes = container.attrs
    config, host = attributes["Config"], attributes["HostConfig"]
    asked = Workload(
        name=name,
        image=config["Image"],
        argv=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        environment=dict(one.partition("=")[::2] for one in config.get("Env") or ()),
        uids=_uids(config.get("User") or "0"),
        capabilities=_capabilities(host),
        no_new_privileges=any(str(one).startswith("no-new-privileges") for one in host.get("SecurityOpt") or ()),
        read_only_root=bool(host.get("ReadonlyRootfs")),
    )
    seen = read_process(name, int(attributes["State"]["Pid"]))
    if seen is None or not set(config.get("Cmd") or ()) <= set(seen.argv):
        return asked
    return replace(
        asked, uids=seen.uids, capabilities=seen.capabilities, no_new_privileges=seen.no_new_privileges
    )  # fmt: skip


def _uids(user: str) -> tuple[int, ...]:
    number = user.partition(":")[0]
    return (int(number),) if number.isdigit() else ()


def _capabilities(host: dict[str, Any]) -> tuple[str, ...]:
    added = tuple(host.get("CapAdd") or ())
    if host.get("Privileged"):
        return ("ALL",)
    return added if "ALL" in (host.get("CapDrop") or ()) else (*_DEFAULT_CAPABILITIES, *added)
