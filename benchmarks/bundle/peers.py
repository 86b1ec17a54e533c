"""The same work by other tools. Each does less or more than a bundle:

tar, split and sha256sum   tar | split into 4 GiB parts, then sha256sum of the parts: no signature, no resume
skopeo                     the loaded version's OCI layout into an archive: no parts, no signature
restic                     backup into a repository, compression off: encrypts, finds duplicates
restic restore             out of it with --verify
model_signing              signs alone: no copy
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MODEL_SIGNING = Path.home() / ".cache/dsdeploy-tests/model-signing/bin/model_signing"


@dataclass(frozen=True, slots=True)
class Peer:
    """`like` is the act of ours that it stands beside; `leaves` goes when the clock has stopped."""

    name: str
    like: str
    work: Callable[[], None]
    leaves: tuple[Path, ...]


def shell(words: str) -> Callable[[], None]:
    return lambda: subprocess.run(["bash", "-ec", words], check=True, stdout=subprocess.DEVNULL) and None


def peers(folder: Path, layout: str) -> tuple[Peer, ...]:
    """Those that are installed. They read `weights`, and skopeo the loaded version's `layout`."""
    weights, parts, archive, repo = folder / "weights", folder / "parts", folder / "a.tar", folder / "repo"
    restored, key, signature = folder / "restored", folder / "k", folder / "s"
    os.environ["RESTIC_PASSWORD"] = "bench"
    shell(f"openssl ecparam -name prime256v1 -genkey -noout -out {key}")()
    joined = f"tar -C {folder} -c weights | split -b 4G - {parts}/p"
    found = [
        Peer("tar, split and sha256sum", "build", shell(f"mkdir {parts}; {joined}; sha256sum {parts}/*"), (parts,))
    ]
    if shutil.which("skopeo"):
        words = f"skopeo --insecure-policy copy -q oci:{layout} oci-archive:{archive}"
        found.append(Peer("skopeo", "build", shell(words), (archive,)))
    if shutil.which("restic"):
        restic = f"restic -q -r {repo} --no-cache"
        words = f"{restic} init; {restic} backup --compression off {weights}"
        found.append(Peer("restic", "build", shell(words), ()))
        words = f"{restic} restore --verify --target {restored} latest"
        found.append(Peer("restic restore", "load", shell(words), (restored, repo)))
    if MODEL_SIGNING.exists():
        words = f"{MODEL_SIGNING} sign key --signature {signature} --private_key {key} {weights}"
        found.append(Peer("model_signing", "build", shell(words), (signature,)))
    return tuple(found)
