"""One release of the stand-in chart, a program that listens, in a namespace of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.targets.kubernetes import KubernetesTarget
from dsdeploy.adapters.targets.kubernetes.place import Place
from dsdeploy.core.values import Release, RenderedFile, RenderedFiles, WeightFile, Weights
from tests.program import wait_until

CHART = Path(__file__).parent / "chart"
LISTEN = "import socket,time; s=socket.create_server(('',8000)); print('listening'); time.sleep(9999)"
FOREVER = "import time; time.sleep(9999)"


class Told:
    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, what, total_bytes=None) -> None:
        self.said.append(what.render("en"))

    def advance(self, done_bytes) -> None:
        pass

    def end(self) -> None:
        pass


class Case:
    """One release of the stand-in chart in a namespace of its own."""

    def __init__(self, site, namespace: str, folder: Path) -> None:
        self.site, self.namespace, self.folder, self.told = site, namespace, folder, Told()
        file = WeightFile("m.gguf", 1, "")
        weights = Weights("smoke", "gguf-q4_k_m", "package", None, str(folder), (file,))
        self.release = Release(
            name="svc", target="kubernetes", model_id="smoke", format="gguf-q4_k_m", context_tokens=1024, users=2,
            host="127.0.0.1", port=8443, plan_sha256="", folder=str(folder / "svc"), weights=weights, revision=1,
            state="installing", installed_at="",
        )  # fmt: skip

    @property
    def target(self) -> KubernetesTarget:
        return KubernetesTarget(Place("tests", self.namespace), self.told, CHART)

    def rendered(self, **values: object) -> RenderedFiles:
        content = yaml.safe_dump({"image": self.site.engine, "script": LISTEN, **values})
        return RenderedFiles("kubernetes", (RenderedFile("values.yaml", content),))

    def failures(self, **values: object) -> dict[str, str]:
        target = self.target
        found = (*target.preflight(self.release), *target.rehearse(self.release, self.rendered(**values)))
        return {one.id: one.message.render("en") for one in found if one.status == "fail"}

    def install(self, **values: object) -> list[str]:
        target, rendered, done = self.target, self.rendered(**values), []
        for operation in target.pending(self.release, rendered):
            target.apply(operation, self.release, rendered)
            done.append(operation.action)
        return done

    def uninstall(self) -> list[str]:
        target, done = self.target, []
        for operation in target.removal(self.release):
            target.apply(operation, self.release, RenderedFiles("kubernetes", ()))
            done.append(operation.action)
        return done

    def pods(self) -> list[object]:
        return self.site.api.list_namespaced_pod(self.namespace).items


@pytest.fixture
def case(site, tmp_path, monkeypatch, request):
    monkeypatch.setenv("DSDEPLOY_BLOCKED_S", "8")
    name = f"t-{abs(hash(request.node.name)) % 10**8}"
    found = Case(site, site.namespace(name), tmp_path)
    yield found
    site.api.delete_namespace(name)
    wait_until(lambda: not found.pods(), 90)


def start_install(case: Case, *, blocked_s: int = 90, **values: object) -> subprocess.Popen[str]:
    """In a process of its own."""
    code = (
        "import sys, json; from pathlib import Path; from tests.kube.release import Case\n"
        "from types import SimpleNamespace as N\n"
        "told = json.loads(sys.argv[1]); site = N(engine=told['engine'])\n"
        "Case(site, told['namespace'], Path(told['folder'])).install(**told['values'])\n"
    )
    told = {"engine": case.site.engine, "namespace": case.namespace, "folder": str(case.folder), "values": values}
    return subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(told)], cwd=Path(__file__).parents[2], text=True,
        env={**os.environ, "DSDEPLOY_BLOCKED_S": str(blocked_s)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
