"""Faults of containers, TLS, accelerators and several machines: none stands here, so the liar is dressed as one.

The engine, its API, its files and its TLS are real; what a Docker Engine, a vendor's tool or another machine would tell
is made up. Every check runs against each fault.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from dsdeploy.adapters.chat import CHAT_PATH
from dsdeploy.adapters.inventory import Host
from dsdeploy.adapters.releases import save_release
from dsdeploy.adapters.revisions import save_revision
from dsdeploy.adapters.targets import find_target
from dsdeploy.core.bundle.values import BundleFile, BundleImage
from dsdeploy.core.fabric import NodePath
from dsdeploy.core.health import judge_profile
from dsdeploy.core.layout import CERTIFICATE_FILE, PLAN_FILE
from dsdeploy.core.machines import Accelerator, Health, Limits, Profile
from dsdeploy.core.progress import SILENT
from dsdeploy.core.values import RenderedFile, RenderedFiles, Workload
from dsdeploy.stages.check import Selection, check_release
from dsdeploy.stages.plan import load_plan
from tests.faults.served import HERE, SLOW, Site
from tests.program import wait_until

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for a certificate")
IMAGE = "sha256:abc"
DEVICE = Accelerator("nvidia", "NVIDIA H20", 0, 96 << 30, 0, "610.0", None)
MACHINE = Profile("a", "Linux", None, 8, 8, 1, 1 << 40, 1 << 40, (), (), (DEVICE, replace(DEVICE, index=1)))
GOOD_PATHS = (
    NodePath("a", "b", 2e-5, 2e-5, 9e9, 1e10, 9000, 9000),
    NodePath("b", "a", 2e-5, 2e-5, 9e9, 1e10, 9000, 9000),
)
CLOSED = ("unshare", "-n") if os.getuid() == 0 and shutil.which("unshare") else None


def audit(key="default", taken=(200, 401)):
    """What a gateway writes down between two looks: one line for each status."""
    return [
        json.dumps({"when": "2026-01-01T00:00:00Z", "id": str(uuid4()), "client": "10.0.0.9", "status": status,
                    "key": key if status == 200 else "-", "path": CHAT_PATH})
        for status in taken
    ]  # fmt: skip


class Dressed:
    """The process target, told that it keeps a container: only what `changed` says is not as planned."""

    name = "compose"
    log_parts = ("engine", "gateway")

    def __init__(self, log=(), inside=CLOSED, audit=audit, **changed):
        self.inner, self.log, self.inside, self.changed = find_target("process"), log, inside, changed
        self.audit = audit

    def reach(self, release):
        return self.inner.reach(release)

    def observe(self, release):
        return self.inner.observe(release)

    def workloads(self, release):
        (engine,) = self.inner.workloads(release)
        good = Workload("engine", IMAGE, engine.argv, {}, (65532,), (), True, True)
        return (replace(good, **self.changed),)

    def logs(self, release, lines, part="engine"):
        if part == "gateway":
            return iter(("[NOTICE] haproxy is up", *self.audit()))
        return iter((*self.inner.logs(release, lines), *self.log))

    def run_inside(self, release, code):
        """In a network namespace of its own, as a container's is; where there can be none, nothing is proven."""
        if self.inside is None:
            return None
        return subprocess.run([*self.inside, sys.executable, "-c", code], capture_output=True, text=True).stdout


class World(Site):
    """The liar behind TLS, in a release of the Compose target."""

    def __init__(self, home: Path, days: int = 365, ciphers: str = "ECDHE+AESGCM", oldest: str = "TLSv1_2") -> None:
        (home / "tls").mkdir(parents=True)
        words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=a -keyout key.pem"
        subprocess.run(
            [*words.split(), "-days", str(days), "-out", "cert.pem"], cwd=home / "tls", check=True, capture_output=True
        )
        os.environ["LIAR_TLS"] = f"{home}/tls|{ciphers}|{oldest}"
        try:
            super().__init__(home, "none")
        finally:
            del os.environ["LIAR_TLS"]
        folder = self.plan.parent
        (folder / CERTIFICATE_FILE).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(home / "tls/cert.pem", folder / CERTIFICATE_FILE)
        composed = RenderedFile("compose.yaml", f"image: {IMAGE}\n")
        (folder / composed.path).write_text(composed.content)
        self.rendered = RenderedFiles("compose", (*self.rendered.files, composed))
        save_release(replace(self.release, target="compose"))
        save_revision(self.release, self.rendered)
        wait_until(lambda: self.found({"only": ("engine-healthy",)})["engine-healthy"] == "pass")

    def answers(self):
        """Over TLS, which health's own look does not speak: its folder tells that it was started."""
        return self.engine_pid() is not None

    def found(self, selection=None, plan=None, hosts=(), **dress):
        plan = plan or load_plan(self.plan.parent / PLAN_FILE)
        chosen = Selection(**(selection or {"skip": SLOW}))
        target = Dressed(**dress)
        checked = check_release(
            self.release, plan, target, chosen, SILENT, hosts=hosts, render=lambda: self.rendered
        )  # fmt: skip
        assert "check-broke" not in {one.id for one in checked.findings}, checked.findings
        return {one.id: one.status for one in checked.findings}

    def faulty(self, **more):
        return {id for id, status in self.found(**more).items() if status in ("fail", "warn")} - HERE


@pytest.fixture
def world(tmp_path):
    made = []

    def make(**more):
        made.append(World(tmp_path / str(len(made)), **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@needs_openssl
def test_each_right_too_many_is_found_by_its_check_alone(world):
    one = world()
    found = one.found()
    assert {id for id, status in found.items() if status in ("fail", "warn")} <= HERE, found
    for id in ("read-only-root", "images-as-rendered", "tls-modern", "certificate-valid", "connection-encrypted"):
        assert found[id] == "pass", id
    assert found["egress-closed"] == ("pass" if CLOSED else "skip")
    for id, changed in (
        ("runs-without-root", {"uids": (0,)}),
        ("no-capabilities", {"capabilities": ("NET_RAW",)}),
        ("no-new-privileges", {"no_new_privileges": False}),
        ("read-only-root", {"read_only_root": False}),
        ("images-as-rendered", {"image": "sha256:other"}),
        ("egress-closed", {"inside": ()}),
    ):
        assert {id for id, status in one.found(**changed).items() if status in ("fail", "warn")} - (HERE - {id}) == {
            id
        }, id


@needs_openssl
def test_an_audit_log_with_gaps_is_found_by_its_check_alone(world, monkeypatch):
    monkeypatch.setattr("dsdeploy.stages.check.records._WRITTEN_S", 0.1)
    one = world()
    assert one.found()["requests-audited"] == "pass"
    for gap in ({"key": "-"}, {"taken": ()}, {"taken": (200,)}):
        assert one.faulty(audit=lambda gap=gap: audit(**gap)) == {"requests-audited"}, gap


@needs_openssl
@pytest.mark.parametrize(("image_id", "caught"), [("abc", set()), ("def", {"images-signed"})])
def test_images_of_no_signed_bundle_are_found(world, monkeypatch, image_id, caught):
    """What a signed bundle holds is made up: packing a real image is another chapter's."""
    one = world()
    files = tuple(BundleFile(f"weights/{file.name}", file.sha256) for file in one.release.weights.files)
    images = (BundleImage("images/engine.tar", ("dsdeploy/engine:1",), image_id),)
    bundle = SimpleNamespace(files=files, images=images)
    monkeypatch.setattr("dsdeploy.stages.check.integrity._signed", lambda subject: (bundle,))
    assert one.faulty() == caught


@needs_openssl
@pytest.mark.parametrize(
    ("tls", "caught"),
    [
        ({"days": 5}, "certificate-valid"),
        ({"ciphers": "ECDHE+AESGCM:ECDHE+AES"}, "tls-modern"),
        ({"ciphers": "ALL:@SECLEVEL=0", "oldest": "TLSv1"}, "tls-modern"),
    ],
)
def test_faults_of_tls_are_found_by_their_checks_alone(world, tls, caught):
    assert world(**tls).faulty() == {caught}


@needs_openssl
def test_faults_of_accelerators_are_found_by_their_checks_alone(world, monkeypatch):
    one = world()
    plan = load_plan(one.plan)
    plan = replace(plan, deployment=replace(plan.deployment, accelerator="h20"), device_memory=None)

    def faulty(machine):
        monkeypatch.setattr("dsdeploy.stages.check.subject.detect_machine", lambda: machine)
        return one.faulty(plan=plan, inside=None)

    assert judge_profile(MACHINE).findings == () and faulty(MACHINE) == set()
    for caught, machine in (
        ("accelerators-healthy", with_health(ecc_uncorrected=3)),
        ("driver-fits-engine", with_driver("580.0")),
        ("clocks-unthrottled", with_health(throttling=("thermal",))),
        ("links-as-wired", with_health(fabric="In Progress")),
    ):
        assert faulty(machine) == {caught}, caught
    assert faulty(MACHINE) == set()
    narrow = Limits(64 << 20, None, None, None)
    monkeypatch.setattr("dsdeploy.stages.check.host._limits_inside", lambda subject: narrow)
    found = one.found(plan=plan, inside=None)
    assert {id for id, status in found.items() if status in ("fail", "warn")} - (HERE - {"host-limits-wide"}) == {
        "host-limits-wide"
    }


@needs_openssl
def test_faults_between_machines_are_found_by_their_checks_alone(world, monkeypatch):
    one = world()
    plan = load_plan(one.plan)
    plan = replace(plan, deployment=replace(plan.deployment, nodes=2), hosts=("a", "b"))
    good = ("a:1:1 [0] NCCL INFO Using network IB",)

    def faulty(paths=GOOD_PATHS, log=good):
        monkeypatch.setattr("dsdeploy.stages.check.subject.measure_paths", lambda hosts, done: paths)
        return one.faulty(plan=plan, hosts=(Host("a"), Host("b")), log=log)

    def with_path(**more):
        return (replace(GOOD_PATHS[0], **more), GOOD_PATHS[1])

    assert faulty() == set()
    assert faulty(with_path(quick_round_trip_s=0.004)) == {"nodes-near"}
    assert faulty(with_path(bits_per_s=1e9)) == {"node-links-wide"}
    assert faulty(with_path(mtu_bytes=1500)) == {"node-mtu-whole"}
    assert faulty(with_path(fault="no route")) == {"nodes-near"}
    assert faulty(log=("a:1:1 [0] NCCL INFO Using network Socket",)) == {"rdma-in-use"}


def with_health(**health):
    return replace(MACHINE, accelerators=(replace(DEVICE, health=Health(**health)), replace(DEVICE, index=1)))


def with_driver(version):
    return replace(MACHINE, accelerators=(DEVICE, replace(DEVICE, index=1, driver_version=version)))
