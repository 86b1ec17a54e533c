"""From the install command to the first answered chat on a real cluster: dsdeploy against `helm install --wait`.

The same values, model and namespace settings, in turns; what Helm alone cannot do (Secrets) is laid ready for it before
the clock starts. `python -m benchmarks.kubernetes [--json FILE]`, as root.
"""

import argparse
import base64
import json
import shutil
import ssl
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from benchmarks.figures import Row, add_json, not_here, report
from dsdeploy.adapters.images.archive import describe_image
from dsdeploy.adapters.images.gateway import gateway_image
from dsdeploy.adapters.templates import chart_folder
from tests.kube.fixtures import Site, started, tools
from tests.kube.node import missing
from tests.program import run

ROUNDS = 5
TO_REACH = 1.3
CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    add_json(asked)
    given = asked.parse_args()
    if lacking := missing():
        not_here(f"lacks {', '.join(lacking)}")
    with tempfile.TemporaryDirectory() as name, tools(), started(Path(name) / "cluster") as site:
        home = Path(name) / "home"
        plan, words = prepare(site, Path(name), home)
        taken: dict[str, list[float]] = {"dsdeploy install": [], "helm install --wait": []}
        for number in range(ROUNDS):
            name, other = f"ours-{number}", f"hand-{number}"
            taken["dsdeploy install"].append(by_dsdeploy(site, name, home, plan, words))
            space(site, other, home)
            copy_secrets(site, name, other)
            shutil.copytree(home / "releases" / name, home / "kept" / name)
            assert run("uninstall", name, "--home", str(home), "--yes").returncode == 0
            emptied(site, name)
            taken["helm install --wait"].append(by_hand(site, other, name, home / "kept" / name))
            subprocess.run(("helm", "uninstall", name, "--namespace", other), check=True, stdout=subprocess.DEVNULL)
            emptied(site, other)
    ours, hand = (statistics.median(many) for many in taken.values())
    rows = (Row("from the command to the first answered chat", ours, hand, "s", TO_REACH),)
    report(given.json, "kubernetes", "helm install --wait", rows)


def prepare(site: Site, folder: Path, home: Path) -> tuple[Path, Path]:
    plan, words = folder / "plan.yaml", folder / "site.yaml"
    said = run("plan", "--model", "smoke", "--users", "2", "--target", "kubernetes", "--out", str(plan))
    assert said.returncode == 0, said.stderr
    assert run("fetch", str(plan), "--home", str(home), "--yes").returncode == 0
    known = {
        "apiVersion": "dsdeploy/v1", "kind": "Site", "engine_image": site.engine, "engine_python": "/usr/bin/python3",
        "gateway_image": site.node.load(describe_image(gateway_image())),
        "weights": {"source": "pvc", "name": "weights"},
        "cpus": 0.7, "gateway_replicas": 1, "gateway_cpus": 0.4,
    }  # fmt: skip
    words.write_text(yaml.safe_dump(known))
    return plan, words


def space(site: Site, name: str, home: Path) -> None:
    """A namespace with the weights on a claim."""
    site.namespace(name)
    folder = next((home / "weights").glob("*/*/*.gguf")).parent
    size = {"accessModes": ["ReadOnlyMany"], "storageClassName": "site"}
    bound = {"hostPath": {"path": str(folder)}, "claimRef": {"namespace": name, "name": "weights"}}
    volume = {"metadata": {"name": name}, "spec": {**size, **bound, "capacity": {"storage": "1Gi"}}}
    asked = {"metadata": {"name": "weights"}, "spec": {**size, "resources": {"requests": {"storage": "1Gi"}}}}
    site.api.create_persistent_volume(volume)
    site.api.create_namespaced_persistent_volume_claim(name, asked)


def by_dsdeploy(site: Site, name: str, home: Path, plan: Path, words: Path) -> float:
    space(site, name, home)
    began = time.monotonic()
    flags = ("--site", str(words), "--namespace", name, "--name", name, "--home", str(home), "--yes")
    said = run("install", str(plan), *flags)
    assert said.returncode == 0, said.stderr
    answered(site, name, name, home / "releases" / name)
    return time.monotonic() - began


def copy_secrets(site: Site, name: str, other: str) -> None:
    for one in site.api.list_namespaced_secret(name, label_selector=f"dsdeploy.io/release={name}").items:
        copy = {"metadata": {"name": one.metadata.name}, "type": one.type, "data": one.data}
        site.api.create_namespaced_secret(other, copy)


def emptied(site: Site, name: str) -> None:
    """Until no pod holds the processors that the next install needs."""
    while site.api.list_namespaced_pod(name).items:
        time.sleep(0.5)


def by_hand(site: Site, name: str, release: str, kept: Path) -> float:
    began = time.monotonic()
    words = (
        "helm",
        "install",
        release,
        str(chart_folder()),
        "--namespace",
        name,
        "--values",
        str(kept / "values.yaml"),
    )
    subprocess.run((*words, "--wait=watcher", "--timeout", "600s"), check=True, stdout=subprocess.DEVNULL)
    answered(site, name, release, kept)
    return time.monotonic() - began


def answered(site: Site, name: str, release: str, folder: Path) -> None:
    """Until the gateway's Service answers a chat."""
    found = site.api.read_namespaced_service(f"{release}-dsdeploy", name)
    (tls,) = [one for one in site.api.list_namespaced_secret(name).items if one.metadata.name.endswith("-tls")]
    trusted = ssl.create_default_context(cadata=base64.b64decode(tls.data["tls.crt"]).decode())
    trusted.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusted.check_hostname = False
    key = (folder / "secrets/api-keys").read_text().strip()
    url = f"https://{found.spec.cluster_ip}:{found.spec.ports[0].port}/v1/chat/completions"
    said = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    for _ in range(100):
        try:
            request = urllib.request.Request(url, json.dumps(CHAT).encode(), said)
            with urllib.request.urlopen(request, timeout=60, context=trusted):
                return
        except (urllib.error.HTTPError, OSError):
            time.sleep(0.1)
    raise AssertionError("no answer")


if __name__ == "__main__":
    main()
