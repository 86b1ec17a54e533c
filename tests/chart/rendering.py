"""Runs the pinned Helm on the chart, offline, and gives what it rendered or what it said."""

import functools
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.templates import chart_folder

CHART = chart_folder()
EXAMPLES = tuple(sorted(one.stem for one in (CHART / "examples").glob("*.yaml")))
LWS = "leaderworkerset.x-k8s.io/v1"
VERSIONS = tuple(f"1.{minor}.0" for minor in range(29, 38))
LATEST = VERSIONS[-1]

Document = dict


class HelmRefused(Exception):
    pass


@functools.cache
def helm_program() -> str:
    cache = Path(os.environ.get("DSDEPLOY_TEST_CACHE") or Path.home() / ".cache" / "dsdeploy-tests")
    if not (cache / "bin" / "helm").is_file():
        pytest.fail("no Helm here: run scripts/install-kube-tools.sh, or leave out with -m 'not helm'")
    return str(cache / "bin" / "helm")


def helm(*words: str, values: str | None = None) -> str:
    """Helm's answer. Raises HelmRefused with what it said."""
    r = subprocess.run([helm_program(), *words], input=values, capture_output=True, text=True, timeout=120)
    if r.returncode:
        raise HelmRefused(r.stdout + r.stderr)
    return r.stdout


def example(name: str, **changes) -> Document:
    """An example's values; `changes` are dotted paths with __ for the dots."""
    return change(yaml.safe_load((CHART / "examples" / f"{name}.yaml").read_text()), changes)


def change(values: Document, changes: Document) -> Document:
    for path, value in changes.items():
        *folders, last = path.replace("__", ".").split(".")
        place = values
        for one in folders:
            place = place.setdefault(one, {})
        place[last] = value
    return values


def render(
    values: Document | str, version: str = LATEST, lws: bool = True, chart: Path = CHART, schema: bool = True
) -> tuple[Document, ...]:
    """Every document that `helm template` makes of the values. Raises HelmRefused."""
    words = ["template", "r", str(chart), "--namespace", "closed", "--kube-version", version, "--values", "-"]
    words += ["--api-versions", LWS] if lws else []
    words += [] if schema else ["--skip-schema-validation"]
    said = helm(*words, values=values if isinstance(values, str) else json.dumps(values))
    return tuple(one for one in yaml.safe_load_all(said) if one)


def of_kind(documents: tuple[Document, ...], kind: str) -> list[Document]:
    return [one for one in documents if one["kind"] == kind]


def pod_templates(documents: tuple[Document, ...]) -> dict[str, Document]:
    """Every pod that the documents lead to, by the name of what makes it and its role."""
    found = {}
    for one in documents:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            found[name] = {"metadata": one["metadata"], "spec": one["spec"]}
        elif one["kind"] == "Deployment":
            found[name] = one["spec"]["template"]
        elif one["kind"] == "LeaderWorkerSet":
            for role in ("leader", "worker"):
                found[f"{name}/{role}"] = one["spec"]["leaderWorkerTemplate"][f"{role}Template"]
    return found
