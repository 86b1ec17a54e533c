"""What is signed of a report: an in-toto statement of its own kind, so that no bundle's signature passes for one."""

import json

from dsdeploy.core.texts import Malformed, text

_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "urn:dsdeploy:report:v1"
SUFFIX = ".sig"


def report_statement(name: str, sha256: str, verdict: str, checked_at: str) -> bytes:
    document = {
        "_type": _STATEMENT,
        "predicate": {"checked_at": checked_at, "verdict": verdict},
        "predicateType": _PREDICATE,
        "subject": [{"digest": {"sha256": sha256}, "name": name}],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed_report(payload: bytes) -> tuple[str, str]:
    """The verdict and SHA-256 that a statement speaks of. Raises ValueError for any other statement."""
    try:
        said = json.loads(payload)
        subject = said["subject"][0]
        name, sha256, verdict = subject["name"], subject["digest"]["sha256"], said["predicate"]["verdict"]
        again = report_statement(name, sha256, verdict, said["predicate"]["checked_at"])
    except (TypeError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise Malformed(text("reason-not-of-report")) from error
    if again != payload:
        raise Malformed(text("reason-not-of-report"))
    return str(verdict), str(sha256)
