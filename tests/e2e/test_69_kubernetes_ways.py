"""Devices that are claimed, weights that are an image or a folder of the node: releases as a user makes them.

No accelerator is here: what is claimed stands in for one, and llama.cpp is not told to use it.
"""

import json
from dataclasses import replace

import pytest
import yaml

from dsdeploy.adapters.images.archive import ImageFile, ImageSpec, describe_image
from dsdeploy.adapters.images.llamacpp import llamacpp_image
from tests.kube.service import SPACE, chat, key_of, plan_for
from tests.program import run, run_json, wait_until

pytestmark = pytest.mark.kubernetes
CLASS = "gpu.tests"
# where the maker's image for accelerators has it
SERVER = b"""#!/usr/bin/python3 -BS
import os, sys
layers = sys.argv.index("--gpu-layers")
os.execv("/usr/bin/llama-server", sys.argv[:layers] + sys.argv[layers + 2 :])
"""
SEES = (
    "import os; print(os.environ['ACCELERATOR_0'], open('/dev/gpu-0', 'rb').read(2),"
    " os.statvfs('/weights').f_flag & os.ST_RDONLY)"
)


@pytest.fixture(scope="module")
def place(site, cluster_home, fetched, tmp_path_factory):
    """A home, a plan for one accelerator, and the environment of the least rights with those to claim."""
    home, words, with_rights = cluster_home(tmp_path_factory.mktemp("claims"))
    (weights,) = (fetched / "weights").glob("*/*/*.gguf")
    volume = ImageSpec("dsdeploy/weights", "tests", (ImageFile(f"/{weights.name}", weights),), (), (), "0:0", {})
    engine = llamacpp_image()
    engine = replace(
        engine, version="claims", files=(*engine.files, ImageFile("/app/llama-server", SERVER, executable=True))
    )
    told = {
        **yaml.safe_load(words.read_text()), "engine_image": site.node.load(describe_image(engine)),
        "weights": {"source": "image", "name": site.node.load(describe_image(volume))},
        "device_class": CLASS, "values": {"weights": {"image": {"allowBeta": True}}},
    }  # fmt: skip
    words.write_text(yaml.safe_dump(told))
    plan = plan_for(home, users=2)
    changed = yaml.safe_load(plan.read_text())
    changed["deployment"].update(accelerator="h100-80gb", devices_per_node=1, engine_version="b11382")
    changed["engine_arguments"].remove("--no-repack")
    plan.write_text(yaml.safe_dump(changed))
    rule = {
        "apiGroups": ["resource.k8s.io"], "resources": ["resourceclaimtemplates"],
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
    }  # fmt: skip
    bound = {"subjects": [{"kind": "ServiceAccount", "name": "dsdeploy"}]}
    bound["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "claims"}
    offered = {"spec": {"selectors": [{"cel": {"expression": f"device.driver == '{CLASS}'"}}]}}
    many = (
        ("rbac.authorization.k8s.io/v1", "Role", "claims", {"rules": [rule]}),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "claims", bound),
        ("resource.k8s.io/v1", "DeviceClass", CLASS, offered),
    )
    objects = [{"apiVersion": api, "kind": kind, "metadata": {"name": name}, **one} for api, kind, name, one in many]
    site.kubectl("--namespace", SPACE, "apply", "--filename", "-", input=yaml.safe_dump_all(objects))
    yield home, words, plan, with_rights
    run("uninstall", "--home", str(home), "--yes", **with_rights)
    site.kubectl("delete", "deviceclass", CLASS)


@pytest.fixture(scope="module")
def driver(site):
    with site.node.claimable(1):
        yield


def test_a_claim_that_no_driver_serves_is_named(site, place):
    home, words, plan, with_rights = place
    r = run(
        "install", str(plan), "--site", str(words), "--home", str(home), "--yes",
        **{**with_rights, "DSDEPLOY_BLOCKED_S": "8"},
    )  # fmt: skip
    assert r.returncode == 15 and "cannot allocate all claims" in r.stderr, r.stderr


def test_the_next_install_has_its_device_and_the_verified_image_and_answers(site, place, driver):
    home, _, plan, with_rights = place
    r = run("install", str(plan), "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    status, body = chat(site, home, key_of(home))
    assert status == 200 and json.loads(body)["choices"][0]["message"]["content"].strip()
    engine = "deployment/default-dsdeploy-engine"
    seen = site.kubectl(
        "--namespace", SPACE, "exec", engine, "--container", "engine", "--", "/usr/bin/python3", "-c", SEES
    )
    assert seen.strip() == r"gpu-0 b'\x00\x00' 1"
    assert ".gguf" in run("logs", "--home", str(home), "--part", "verify", **with_rights).stdout
    r = run("install", str(plan), "--home", str(home), "--yes", "--json", **with_rights)
    assert json.loads(r.stdout)["data"]["changed"] is False


def test_uninstall_gives_the_device_back(site, place, driver):
    home, _, _, with_rights = place
    assert site.kubectl("--namespace", SPACE, "get", "resourceclaims", "--output", "name").strip()
    r = run("uninstall", "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    kinds = "resourceclaims,resourceclaimtemplates,pods"
    wait_until(lambda: not site.kubectl("--namespace", SPACE, "get", kinds, "--output", "name").strip(), 120)


def test_a_folder_of_the_node_serves_where_the_namespace_admits_it_and_nowhere_else(
    site, cluster_home, fetched, tmp_path
):
    home, words, with_rights = cluster_home(tmp_path)
    folder = next((fetched / "weights").glob("*/*/*.gguf")).parent
    weights = {"source": "hostPath", "name": str(folder)}
    words.write_text(yaml.safe_dump({**yaml.safe_load(words.read_text()), "weights": weights}))
    asked = ("install", str(plan_for(home, users=2)), "--site", str(words), "--home", str(home), "--yes")
    r = run(*asked, **with_rights)
    assert r.returncode == 15 and "hostPath" in r.stderr, r.stderr
    admin = {**with_rights, "KUBECONFIG": str(site.kubeconfig)}
    r = run(*asked, "--namespace", site.namespace("open", "privileged"), **admin)
    try:
        assert r.returncode == 0, r.stderr
        told = run_json("check", "--home", str(home), "--only", "chat-answers", **admin)["data"]
        assert [one["status"] for one in told["findings"]] == ["pass"]
    finally:
        assert run("uninstall", "--home", str(home), "--yes", **admin).returncode == 0
        site.api.delete_namespace("open")
