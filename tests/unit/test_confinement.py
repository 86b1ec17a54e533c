"""Checks of rights and of TLS: each fault planted in what a target tells, or in a real server on loopback."""

import shutil
import ssl
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.core.errors import NoGateway
from dsdeploy.core.progress import SILENT
from dsdeploy.core.texts import text
from dsdeploy.core.values import RenderedFile, RenderedFiles, Revision, Workload
from dsdeploy.stages.check import CHECKS, Selection, check_release, run_checks
from dsdeploy.stages.check.subject import Subject
from tests.unit.test_check import checked, finding
from tests.unit.test_endpoint import say, service, whole

GOOD = Workload("engine", "sha256:abc", ("serve", "--offline"), {}, (65532,), (), True, True)
RELEASE = replace(checked(finding("pass")).data.release, target="compose", host="10.0.0.1")
PLAN = SimpleNamespace(engine="llama.cpp", device="cpu", deployment=SimpleNamespace(nodes=1, engine_version="b1"))
IDS = (
    "runs-without-root", "no-capabilities", "no-new-privileges", "read-only-root", "telemetry-off", "egress-closed",
    "images-as-rendered",
)  # fmt: skip


class Place:
    """Stands for a Docker Engine: what it tells of containers is the test's."""

    def __init__(self, workload=GOOD, inside="asked 4\n"):
        self.workload, self.inside = workload, inside

    def observe(self, release):
        return SimpleNamespace(state="running", engine_pid=None, restarts=0, log_tail=())

    def workloads(self, release):
        return (self.workload,)

    def run_inside(self, release, code):
        return self.inside


def found(place, only=IDS, endpoint=None, release=RELEASE):
    subject = Subject(release, PLAN, None, place, endpoint, None, None, SILENT)
    return {one.id: one.status for one in run_checks(CHECKS, subject, Selection(only=only))}


@pytest.fixture(autouse=True)
def _revision(monkeypatch):
    rendered = RenderedFiles("compose", (RenderedFile("compose.yaml", "image: sha256:abc"),))
    monkeypatch.setattr("dsdeploy.stages.check.integrity.find_revision", lambda release: Revision(release, rendered))


def test_confined_containers_pass():
    assert set(found(Place()).values()) == {"pass"}


@pytest.mark.parametrize(
    ("place", "caught"),
    [
        (Place(replace(GOOD, uids=(0,))), "runs-without-root"),
        (Place(replace(GOOD, capabilities=("NET_RAW",))), "no-capabilities"),
        (Place(replace(GOOD, no_new_privileges=False)), "no-new-privileges"),
        (Place(replace(GOOD, read_only_root=False)), "read-only-root"),
        (Place(replace(GOOD, argv=("serve",))), "telemetry-off"),
        (Place(replace(GOOD, image="sha256:other")), "images-as-rendered"),
        (Place(inside="reached 1.1.1.1\nasked 4\n"), "egress-closed"),
    ],
)
def test_each_right_too_many_is_found_by_its_check_alone(place, caught):
    assert {id for id, status in found(place).items() if status != "pass"} == {caught}


def test_a_way_out_that_cannot_be_looked_for_is_not_judged():
    assert found(Place(inside=None), ("egress-closed",)) == {"egress-closed": "skip"}


def test_a_way_out_behind_a_filter_is_said_to_be_one():
    for inside, id in (("asked 4\n", "check-egress-closed"), ("routed\nasked 4\n", "check-egress-filtered")):
        subject = Subject(RELEASE, PLAN, None, Place(inside=inside), None, None, None, SILENT)
        (seen,) = run_checks(CHECKS, subject, Selection(only=("egress-closed",)))
        assert (seen.status, seen.message.id) == ("pass", id)


AWAY = Selection(
    ("engine-healthy", "api-needs-key", "connection-encrypted", "tls-modern", "certificate-valid", "randomness-ready")
)
TLS = ("connection-encrypted", "tls-modern", "certificate-valid")


@pytest.fixture
def certificate(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl for a certificate")

    def make(days):
        words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=a"
        names = ["-days", str(days), "-keyout", "key.pem", "-out", "cert.pem"]
        subprocess.run([*words.split(), *names], cwd=tmp_path, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE+AESGCM")
        return context

    return make


def tls_found(context):
    with service(say(whole({})), lambda caller: context.wrap_socket(caller, server_side=True)) as plain:
        endpoint = Endpoint(plain.host, plain.port, ssl.create_default_context())
        return found(Place(), TLS, endpoint)


def test_modern_tls_passes_and_a_certificate_that_ends_soon_is_found(certificate):
    assert tls_found(certificate(365)) == dict.fromkeys(TLS, "pass")
    assert tls_found(certificate(5)) == dict.fromkeys(TLS, "pass") | {"certificate-valid": "warn"}


def test_a_door_that_shakes_no_hands_is_not_judged():
    with service(say(b"what?")) as plain:
        endpoint = Endpoint(plain.host, plain.port, ssl.create_default_context())
        assert found(Place(), TLS, endpoint) == {
            "connection-encrypted": "pass", "tls-modern": "skip", "certificate-valid": "skip"
        }  # fmt: skip


def test_where_there_is_no_way_to_a_service_all_else_is_examined_still():
    """As on a cluster none of whose gateways is ready, and where a release's certificate is gone."""
    place = Place()
    place.reach = Mock(side_effect=NoGateway(text("no-gateway", name="a"), hint=text("no-gateway-hint")))
    without = Place()
    without.reach = nullcontext
    for away, said in ((place, "no-gateway"), (without, "answer-no-certificate")):
        seen = {one.id: one for one in check_release(RELEASE, None, away, AWAY, SILENT).findings}
        assert {id: one.status for id, one in seen.items()} == {
            "engine-healthy": "fail", "api-needs-key": "skip", "connection-encrypted": "skip", "tls-modern": "skip",
            "certificate-valid": "skip", "randomness-ready": "pass",
        }, seen  # fmt: skip
        assert seen["engine-healthy"].message.id == seen["certificate-valid"].message.id == said


def test_old_tls_is_found(certificate):
    context = certificate(365)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    assert tls_found(context) == dict.fromkeys(TLS, "pass") | {"tls-modern": "fail"}


def test_weak_suites_beside_good_ones_are_found(certificate):
    context = certificate(365)
    context.set_ciphers("ECDHE+AESGCM:ECDHE+AES")
    assert tls_found(context) == dict.fromkeys(TLS, "pass") | {"tls-modern": "warn"}


def test_keys_in_the_clear_over_a_network_are_found():
    endpoint = Endpoint("10.0.0.1", 8080)
    assert found(Place(), TLS, endpoint)["connection-encrypted"] == "warn"
