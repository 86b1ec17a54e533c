"""Secrets planted everywhere, however written, and none found in what is packed."""

import base64
import json
import tarfile
from dataclasses import replace

import pytest

from dsdeploy.core.redaction import MARK, Redactor
from dsdeploy.core.results import Result, success_document
from dsdeploy.core.values import RenderedFile, Service
from dsdeploy.stages.support import gather, pack
from tests.unit.test_check import checked, finding

KEY = "dsk-" + "0123456789abcdef" * 4
PASSWORD = "correct/horse+battery"


@pytest.mark.parametrize(
    "words",
    [
        f"Authorization: Bearer {KEY}", f"--api-key {KEY}", f'"API_KEY={PASSWORD}"', f"password: {PASSWORD}",
        f"https://user:{'p4ssw0rd' * 2}@mirror/x", "HF_TOKEN=hf_" + "a" * 30, "AKIA" + "A" * 16,
        "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----", "q=correct%2Fhorse%2Bbattery",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", base64.b64encode(b"xy:" + KEY.encode()).decode(), KEY.encode().hex(),
    ],
)  # fmt: skip
def test_each_way_to_write_a_secret_is_taken_out(words):
    redactor = Redactor((KEY, PASSWORD))
    cleaned = redactor.clean(words)
    assert MARK in cleaned and redactor.count
    for secret in (KEY, PASSWORD, "p4ssw0rd", "a" * 30, "MIIabc", KEY.encode().hex()):
        assert secret not in cleaned
    assert base64.b64encode(KEY[6:30].encode()).decode()[4:20] not in cleaned


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens: 128", "--api-key-file /srv/secrets/api-keys", '"kv_cache_tokens": 4096', "token: null",
        "sha256: " + "ab" * 32, "the key is refused", "https://127.0.0.1:8080/v1",
    ],
)  # fmt: skip
def test_what_helps_is_kept(words):
    assert Redactor((KEY,)).clean(words) == words


class Place:
    """Stands for a target whose every answer holds a secret."""

    def observe(self, release):
        return Service("running", 1, 0, (f"Bearer {KEY}",))

    def workloads(self, release):
        return ()

    def logs(self, release, lines):
        return iter((f"request with {KEY}", f"password={PASSWORD}"))

    def evidence(self, release):
        return (RenderedFile("inspect.json", json.dumps({"Env": [f"API_KEY={KEY}", f"DB_PASSWORD={PASSWORD}"]})),)


def test_a_support_bundle_holds_no_planted_secret(tmp_path):
    folder = tmp_path / "release"
    (folder / "secrets/tls").mkdir(parents=True)
    (folder / "secrets/api-keys").write_text(KEY + "\n")
    (folder / "secrets/tls/tls.key").write_text("-----BEGIN PRIVATE KEY-----\nMIIabcdef\n-----END PRIVATE KEY-----\n")
    (folder / "plan.yaml").write_text(f"note: {KEY}\nencoded: {base64.b64encode(KEY.encode()).decode()}\n")
    (folder / f"odd-{KEY}.txt").write_text("MIIabcdef")
    found = checked(finding("fail", measured=KEY)).data
    release = replace(found.release, folder=str(folder))
    from dsdeploy.core.progress import SILENT

    content = gather(release, Place(), 10, SILENT)
    packed = pack(release, content, success_document(Result("check", found), "en"), tmp_path / "s.tar.gz")
    with tarfile.open(tmp_path / "s.tar.gz") as archive:
        names = archive.getnames()
        everything = "\n".join(names) + "\n".join(
            archive.extractfile(one).read().decode() for one in archive.getmembers()
        )
    assert packed.redacted > 5 and "dsdeploy-support/engine.log" in names
    for secret in (KEY, "0123456789abcdef" * 2, "MIIabcdef", PASSWORD, base64.b64encode(KEY.encode()).decode()[:40]):
        assert secret not in everything, secret
    assert (tmp_path / "s.tar.gz").stat().st_mode & 0o777 == 0o600
