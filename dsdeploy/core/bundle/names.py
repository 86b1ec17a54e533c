"""Every name in a bundle, and every name that loading one gives to things at the site.

On the media, in one folder or in many:
    dsdeploy-bundle.json           the signed root: one `Bundle`
    dsdeploy-bundle.sig            DSSE envelope: an in-toto statement over the root and the texts below
    EXTENTS.sha256                 digest of every tar member, for `verify.sh`
    SHA256SUMS                     digest of every file as it lies once loaded (SM3SUMS beside it on request)
    SBOM.cdx.json                  what the bundle holds, as CycloneDX 1.6
    NOTICE.txt                     the models' licences and what they ask for
    verify.sh                      the same check with tar, cat, sha256sum and openssl alone
    NAME-v0001-of-0004.tar         a volume: a plain ustar of extents `blobs/sha256/HEX.OFFSET-LENGTH`

At the site, under HOME/bundles:
    NAME/SEQUENCE-ROOT/            one loaded version: root, signature, `files/`, and `oci/` as a view of its weights
    NAME/current                   symlink to the version in use; switching it is one rename
    .incoming-ROOT/                a load that is under way: `head/` (root, signature), journal, `HEX.partial`, `HEX`
    .pruned-…/                     a version on its way out
    .uploads/                      images on their way into a registry

Weights that came by `fetch` lie aside as HOME/weights/MODEL/FORMAT.before-TIME once a bundle brought the same model.
"""

import re

ROOT = "dsdeploy-bundle.json"
SIGNATURE = "dsdeploy-bundle.sig"
EXTENT_SUMS = "EXTENTS.sha256"
FILE_SUMS = "SHA256SUMS"
SM3_SUMS = "SM3SUMS"
SBOM = "SBOM.cdx.json"
NOTICE = "NOTICE.txt"
VERIFY_SCRIPT = "verify.sh"
SIGNED_TEXTS = (ROOT, EXTENT_SUMS, FILE_SUMS, SM3_SUMS, SBOM, NOTICE, VERIFY_SCRIPT)

MODEL_SIGNATURE = "model.sig"
TEXT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

PARTIAL = ".partial"
BUILD_JOURNAL = ".dsdeploy-build.journal"
LOAD_JOURNAL = "load.journal"
AUDIT_LOG = "audit.jsonl"

BUNDLES = "bundles"
CURRENT = "current"
FILES = "files"
OCI = "oci"
INCOMING = ".incoming-"
PRUNED = ".pruned-"
UPLOADS = ".uploads"
ASIDE = ".before-"
HEAD = "head"
LOCK = "lock"
TRUST = "trust"
PRIVATE_SUFFIX = ".key"
PUBLIC_SUFFIX = ".pub"

PLAN = "plan.yaml"
WEIGHTS = "weights"
IMAGES = "images"
EXTRA = "extra"
WHEELS = "wheels"
CHART = "chart"
TOPS = (PLAN, WEIGHTS, IMAGES, EXTRA, WHEELS, CHART)

# What operating systems leave in the root folder of a medium; never read.
DROPPINGS = ("lost+found", "System Volume Information", "$RECYCLE.BIN", ".Trashes", ".fseventsd", "TRANS.TBL")

BUNDLE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
EXTENT_FOLDER = "blobs/sha256"


def model_signature_name(model_id: str, format: str) -> str:
    return f"{model_id}.{format}.{MODEL_SIGNATURE}"


def volume_name(bundle: str, number: int, count: int) -> str:
    width = max(4, len(str(count)))
    return f"{bundle}-v{number:0{width}d}-of-{count:0{width}d}.tar"


def extent_name(blob: str, offset_bytes: int, size_bytes: int) -> str:
    """Padded, so that a shell's `cat HEX.*` gives the blob in order; 96 characters fit ustar's name field."""
    return f"{EXTENT_FOLDER}/{blob}.{offset_bytes:015d}-{size_bytes:015d}"


def version_name(sequence: int, root_sha256: str) -> str:
    return f"{sequence}-{root_sha256[:16]}"
