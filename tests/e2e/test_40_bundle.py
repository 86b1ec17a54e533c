"""A plan's whole way across an air gap, typed as a user types it, the far side without a network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dsdeploy.core.bundle.names import ROOT
from tests.program import PROGRAM, environment, run, run_json


@pytest.fixture(scope="module")
def carried(fetched, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("carried")
    assert run_json("bundle", "keygen", "--output", str(folder), "--name", "alice")["status"] == "ok"
    assert (folder / "alice.key").stat().st_mode & 0o777 == 0o600
    plan = folder / "plan.yaml"
    assert run("plan", "--model", "smoke", "--industry", "energy", "--out", str(plan)).returncode == 0
    made = run_json(
        *("bundle", "create", str(plan), "--home", str(fetched), "--key", str(folder / "alice.key")),
        *("--output", str(folder / "medium"), "--volume-size", "100000000"),
    )
    assert made["data"]["volumes"] == 3, made
    assert (folder / "medium/SM3SUMS").is_file()  # as the plan's industry asks
    return folder


def test_a_site_without_a_network_serves_what_the_bundle_brought(carried, tmp_path):
    medium, trust, home = str(carried / "medium"), str(carried / "alice.pub"), str(tmp_path)
    offline = ["unshare", "-rn"] if subprocess.run(["unshare", "-rn", "true"]).returncode == 0 else []
    words = [*offline, *PROGRAM, "bundle", "load", "--from", medium, "--home", home, "--trust", trust, "--json"]
    r = subprocess.run(words, capture_output=True, text=True, env=environment())
    loaded = json.loads(r.stdout)
    assert loaded["status"] == "ok" and loaded["data"]["signers"][0]["name"] == "alice"
    plan = loaded["data"]["plan"]
    held = run_json("fetch", plan, "--home", home, "--yes", "--endpoint", "http://127.0.0.1:9")
    assert held["data"]["operations"] == []
    assert run_json("render", plan, "--home", home, "--out", str(tmp_path / "out"))["status"] == "ok"


def test_one_command_goes_from_a_medium_to_a_healthy_service_without_a_network(carried, tmp_path):
    medium, home = str(carried / "medium"), str(tmp_path / "home")
    commands = [
        ["install", medium, "--home", home, "--yes", "--dry-run"],
        ["install", medium, "--home", home, "--yes"],
        ["install", medium, "--home", home, "--yes", "--trust", str(carried / "alice.pub")],
        ["install", medium, "--home", home, "--yes", "--dry-run"],
        ["check", "--home", home],
        ["install", str(tmp_path / "home/bundles/smoke/current"), "--home", home, "--yes"],
        ["uninstall", "--home", home, "--yes"],
    ]
    (tmp_path / "commands").write_text(json.dumps(commands))
    words = ["unshare", "-rn", sys.executable, "-m", "tests.e2e.offline", str(tmp_path / "commands")]
    r = subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=300)
    said = [json.loads(line) for line in r.stdout.splitlines()]
    codes = [one["errors"][0]["code"] if one["errors"] else one["status"] for one in said]
    assert codes[:4] == ["BundleUsage", "SignerUnknown", "ok", "ok"], r.stdout + r.stderr
    assert said[2]["data"]["changed"] and not said[3]["data"]["changed"]
    assert said[4]["exit_code"] == 0, said[4]
    assert not said[5]["data"]["changed"] and codes[6] == "ok"


def test_a_site_keeps_its_house(carried, tmp_path):
    """Cut anew, loaded, listed, pruned and gone back on, as a user types it; each also read by a person."""
    medium, key, trust, home = carried / "medium", carried / "alice.key", carried / "alice.pub", tmp_path / "home"
    cut = run_json(
        *("bundle", "recut", "--from", str(medium), "--output", str(tmp_path / "cut"), "--key", str(key)),
        *("--trust", str(trust), "--volume-size", "50000000"),
    )
    assert cut["data"]["volumes"] == 6, cut
    for one in (medium, tmp_path / "cut"):
        words = ("bundle", "load", "--from", str(one), "--home", str(home), "--trust", str(trust))
        assert run_json(*words, "--allow-rollback")["status"] == "ok"
    listed = run_json("bundle", "inventory", "--output", str(tmp_path / "inventory.json"), "--home", str(home))
    assert len(listed["data"]["blobs"]) == len(json.loads((tmp_path / "inventory.json").read_text())["blobs"]) > 1
    shown = run_json("bundle", "prune", "--keep", "1", "--home", str(home), "--dry-run")["data"]
    assert len(shown["operations"]) == 1 and shown["versions"] == []
    back = run_json("bundle", "rollback", "--home", str(home))
    assert back["errors"][0]["code"] == "VersionUnknown", "both have one sequence number"
    refused = run_json("bundle", "prune", "--keep", "1", "--home", str(home))
    assert refused["errors"][0]["code"] == "NotConfirmed"
    assert len(run_json("bundle", "prune", "--keep", "1", "--home", str(home), "--yes")["data"]["versions"]) == 1
    log = run_json("bundle", "log", "--home", str(home))["data"]
    assert [one["event"] for one in log["events"]] == ["bundle-loaded", "bundle-loaded", "bundle-pruned"]
    assert log["broken_at"] is None and "完整" in run("--lang", "zh", "bundle", "log", "--home", str(home)).stdout
    for words in (("prune", "--dry-run"), ("inventory", "--output", str(tmp_path / "i2"))):
        assert run("bundle", *words, "--home", str(home)).returncode == 0
    exported = run_json("bundle", "public-key", str(key), "--output", str(tmp_path), "--name", "again")["data"]
    assert Path(exported["public"]).read_bytes() == trust.read_bytes()


def test_who_signed_what_is_in_it_and_what_differs(carried):
    medium = str(carried / "medium")
    signed = run_json("bundle", "who-signed", "--from", medium, "--trust", str(carried / "alice.pub"))["data"]
    assert signed["signers"][0]["name"] == "alice" and signed["signers"][0]["valid"] is True
    assert run_json("bundle", "who-signed", "--from", medium)["data"]["signers"][0]["name"] is None
    shown = run_json("bundle", "inspect", "--from", medium)["data"]
    assert shown["models"][0]["model_id"] == "smoke" and shown["root_sha256"] == signed["root_sha256"]
    files = json.loads((carried / "medium" / ROOT).read_text())["files"]
    alike = {"added": [], "removed": [], "changed": [], "same": len(files)}
    assert run_json("bundle", "diff", medium, medium)["data"] == alike and len(files) > 2
    assert "签名者" in run("--lang", "zh", "bundle", "inspect", "--from", medium).stdout


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("verify", "--from", "MEDIUM"), "SignerUnknown", 13),
        (("load", "--from", "MEDIUM", "--home", "HOME"), "SignerUnknown", 13),
        (("verify", "--from", "NOWHERE"), "BundleMissing", 13),
        (("verify", "--from", "MEDIUM", "--trust", "NOWHERE"), "KeyUnusable", 13),
        (("create", "PLAN", "--output", "OUT", "--home", "HOME", "--allow-unsigned"), "PayloadMissing", 13),
        (("create", "PLAN", "--output", "OUT", "--home", "BUILD"), "BundleUsage", 2),
        (("create", "PLAN", "--output", "OUT", "--home", "BUILD", "--image", "not-asked-for:1"), "BundleUsage", 2),
        (("create", "PLAN", "--output", "MEDIUM", "--home", "BUILD", "--allow-unsigned"), "BundleExists", 13),
        (("create", "PLAN", "--output", "OUT", "--home", "BUILD", "--volume-size", "tiny"), "BundleUsage", 2),
        (("keygen", "--output", "KEYS", "--name", "alice"), "BundleNotWritable", 13),
        (("keygen", "--output", "OUT", "--algorithm", "rsa"), "BundleUsage", 2),
    ],
)
def test_what_cannot_be_done_has_a_name_in_both_languages(carried, fetched, tmp_path, words, code, exit_code):
    places = {"MEDIUM": carried / "medium", "HOME": tmp_path, "BUILD": fetched, "KEYS": carried, "OUT": tmp_path / "o"}
    places |= {"PLAN": fetched / "plan.yaml", "NOWHERE": tmp_path / "nowhere"}
    for language in ("en", "zh"):
        document = run_json("bundle", *(str(places.get(one, one)) for one in words), "--lang", language)
        assert document["errors"][0]["code"] == code and document["exit_code"] == exit_code, document


def test_a_flipped_byte_is_named(carried, tmp_path):
    medium = shutil.copytree(carried / "medium", tmp_path / "medium")
    volume = sorted(medium.glob("*.tar"))[2]
    with volume.open("r+b") as file:
        file.seek(50_000)
        byte = file.read(1)
        file.seek(50_000)
        file.write(bytes([byte[0] ^ 4]))
    document = run_json("bundle", "verify", "--from", str(medium), "--trust", str(carried / "alice.pub"))
    assert document["errors"][0]["code"] == "BundleAltered" and volume.name in document["errors"][0]["message"]
