"""Keys of every kind, and signatures that other people's tools read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dsdeploy.adapters.bundle.keys import export_public, generate_key, load_private, load_public, read_passphrase
from dsdeploy.core import errors
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.bundle.inspect import who_signed
from dsdeploy.stages.bundle.load import Consent, load
from dsdeploy.stages.bundle.verify import verify
from tests.bundles import FORMAT, MODEL, Ground, ground

CACHE = Path(os.environ.get("DSDEPLOY_TEST_CACHE") or Path.home() / ".cache/dsdeploy-tests")


@pytest.fixture
def ours(tmp_path):
    return ground(tmp_path / "here")


@pytest.fixture(scope="module")
def model_signing() -> Path:
    """OpenSSF's own tool in an environment of its own, kept from run to run. It needs pyOpenSSL and does not say so."""
    place = CACHE / "model-signing"
    if not (place / "bin/model_signing").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        words = [str(place / "bin/pip"), "install", "--quiet", "model-signing==1.1.1", "pyOpenSSL"]
        subprocess.run(words, check=True)
    return place / "bin/model_signing"


def loaded(ours: Ground, *trusted: str) -> Path:
    keys = tuple(load_public(ours.folder / f"{one}.pub") for one in trusted)
    load((ours.folder / "bundle",), Layout(ours.folder / "site"), keys, Consent(), SILENT)
    return Layout(ours.folder / "site").weights(MODEL, FORMAT)


def test_openssf_reads_the_signature_of_a_model_and_sees_a_change(ours, model_signing):
    generate_key(ours.folder, "ec", "ecdsa-p256")
    generate_key(ours.folder, "stranger", "ecdsa-p256")
    ours.build(keys=(str(ours.folder / "k.key"), str(ours.folder / "ec.key")))
    folder = loaded(ours, "ec")

    def tool(key: str) -> int:
        words = ["verify", "key", "--signature", str(folder / "model.sig")]
        words += ["--public_key", str(ours.folder / f"{key}.pub"), str(folder.resolve())]
        return subprocess.run([str(model_signing), *words], capture_output=True).returncode

    assert tool("ec") == 0 and tool("stranger") != 0
    shard = folder / "tiny-1.safetensors"
    content = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(content[:-1] + b"x")
    assert tool("ec") != 0


def test_a_changed_model_signature_is_an_altered_bundle(ours):
    generate_key(ours.folder, "ec", "ecdsa-p256")
    ours.build(keys=(str(ours.folder / "ec.key"),))
    (path,) = (ours.folder / "bundle").glob("*.model.sig")
    path.write_bytes(path.read_bytes().replace(b"keyid", b"keyId"))
    with pytest.raises(errors.BundleAltered):
        loaded(ours, "ec")


def test_several_sign_and_each_is_known_by_name(ours):
    generate_key(ours.folder, "site", "ecdsa-p256")
    ours.build(keys=(str(ours.folder / "k.key"), str(ours.folder / "site.key")))
    keys = tuple(load_public(ours.folder / f"{one}.pub") for one in ("k", "site"))
    assert [one.name for one in who_signed((ours.folder / "bundle",), keys).signers] == ["k", "site"]
    for one in keys:
        assert not verify((ours.folder / "bundle",), (one,), False, SILENT).unsigned


def test_sm2_signs_and_verifies(ours):
    pair = generate_key(ours.folder, "gm", "sm2")
    assert Path(pair.private).stat().st_mode & 0o777 == 0o600
    assert load_public(ours.folder / "gm.pub").key_id == pair.key_id == load_private(pair.private).public.key_id
    ours.build(keys=(pair.private,))
    assert len(list(loaded(ours, "gm").glob("*.safetensors"))) == len(ours.sizes)
    generate_key(ours.folder, "other", "sm2")
    (ours.folder / "other.key").replace(ours.folder / "gm.key")
    script = ["sh", str(ours.folder / "bundle/verify.sh")]
    assert subprocess.run([*script, str(ours.folder / "gm.pub"), str(ours.folder / "bundle")]).returncode == 0
    assert subprocess.run([*script, str(ours.folder / "other.pub"), str(ours.folder / "bundle")]).returncode == 13


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256", "sm2"])
def test_an_encrypted_key_signs_with_its_passphrase_alone(ours, algorithm):
    secret = ours.folder / "secret"
    secret.write_text("correct horse\nignored\n")
    pair = generate_key(ours.folder, "sealed", algorithm, read_passphrase(secret))
    assert b"ENCRYPTED" in Path(pair.private).read_bytes()
    with pytest.raises(errors.KeyUnusable, match="bundle-key-encrypted"):
        load_private(pair.private)
    with pytest.raises(errors.KeyUnusable):
        load_private(pair.private, lambda key: b"wrong")
    with pytest.raises(errors.KeyUnusable, match="passphrase-empty"):
        (ours.folder / "empty").touch()
        read_passphrase(ours.folder / "empty")
    ours.build(keys=(pair.private,), passphrase=lambda key: read_passphrase(secret))
    assert loaded(ours, "sealed").is_dir()


def test_a_key_that_openssl_encrypted_signs(ours):
    """Both of its forms: PKCS#8, and the older one that names its cipher in a header."""
    for number, words in enumerate(
        (("genpkey", "-algorithm", "ed25519"), ("ecparam", "-name", "prime256v1", "-genkey"))
    ):
        sealed = ours.folder / f"sealed-{number}.key"
        plain = subprocess.run(["openssl", *words], check=True, capture_output=True).stdout
        seal = ["pkey" if number == 0 else "ec", "-aes256", "-passout", "pass:a b", "-out", str(sealed)]
        subprocess.run(["openssl", *seal], input=plain, check=True, capture_output=True)
        assert load_private(str(sealed), lambda key: b"a b").sign(b"message")


@pytest.fixture
def token(tmp_path, monkeypatch) -> str:
    """A key that SoftHSM keeps, by its URI; SoftHSM reads its configuration once a process, so a child makes it."""
    if not shutil.which("softhsm2-util"):
        pytest.fail("no softhsm2 here: run scripts/install-test-parts.sh")
    module = next(one for one in Path("/usr/lib").rglob("libsofthsm2.so"))
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path}/tokens\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    words = ["softhsm2-util", "--init-token", "--free", "--label", "hsm", "--pin", "1234", "--so-pin", "5678"]
    subprocess.run(words, check=True, capture_output=True)
    (tmp_path / "pin").write_text("1234\n")
    script = (
        "import sys, pkcs11; from pkcs11.util.ec import encode_named_curve_parameters as curve\n"
        "with pkcs11.lib(sys.argv[1]).get_token(token_label='hsm').open(user_pin='1234', rw=True) as session:\n"
        "    domain = session.create_domain_parameters(\n"
        "        pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve('secp256r1')}, local=True)\n"
        "    domain.generate_keypair(mechanism=pkcs11.Mechanism.EC_KEY_PAIR_GEN, store=True, label='release key')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(module)], check=True)
    return f"pkcs11:token=hsm;object=release%20key?module-path={module}&pin-source=file:{tmp_path}/pin"


def test_a_key_on_a_token_signs(ours, token, monkeypatch):
    pair = export_public(token, ours.folder, "hsm")
    ours.build(keys=(token,))
    assert loaded(ours, "hsm").is_dir() and load_public(ours.folder / "hsm.pub").key_id == pair.key_id
    assert (ours.folder / f"bundle/{MODEL}.{FORMAT}.model.sig").is_file()
    for wrong in (
        token.replace("release", "absent"),
        token.replace("token=hsm", "token=nothing"),
        token.replace("module-path=/", "module-path=/nowhere/"),
        token.partition("?")[0],
        token + "&pin-value=1234",
    ):
        with pytest.raises(errors.KeyUnusable):
            load_private(wrong)
    monkeypatch.setenv("DSDEPLOY_PKCS11_PIN", "wrong")
    with pytest.raises(errors.KeyUnusable):
        load_private(token.partition("&")[0])


def test_skopeo_reads_a_loaded_version_and_finds_every_blob(ours):
    if not shutil.which("skopeo"):
        pytest.fail("no skopeo here: run scripts/install-test-parts.sh")
    ours.build()
    folder = loaded(ours, "k").resolve().parents[3]
    name = f"oci:{folder}/oci:{MODEL}-{FORMAT}"
    raw = subprocess.run(["skopeo", "inspect", "--raw", name], check=True, capture_output=True).stdout
    layers = json.loads(raw)["layers"]
    assert [one["annotations"]["org.cncf.model.filepath"] for one in layers] == [
        f"tiny-{number}.safetensors" for number in range(len(ours.sizes))
    ]
    out = ours.folder / "copied"
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", name, f"oci:{out}:{MODEL}"]
    subprocess.run(words, check=True, capture_output=True)
    for number, one in enumerate(layers):
        blob = out / "blobs/sha256" / one["digest"].removeprefix("sha256:")
        assert blob.read_bytes() == (ours.weights / f"tiny-{number}.safetensors").read_bytes()
    assert (folder / "oci/blobs/sha256" / layers[0]["digest"][7:]).stat().st_nlink >= 2, "a link, not a copy"
