"""Reports of a check or a plan, each a file of its own: a page for people, JSON for programs, JUnit for pipelines."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsdeploy.adapters.bundle import keys
from dsdeploy.adapters.files import write_whole
from dsdeploy.core.bundle.signature import decode_envelope, encode_envelope
from dsdeploy.core.comparison import read_report
from dsdeploy.core.errors import (
    ReportNotWritable,
    ReportUnreadable,
    SignatureInvalid,
    SignatureMissing,
    SignerUnknown,
    UnknownReport,
)
from dsdeploy.core.report_signature import SUFFIX, report_statement, signed_report
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked

Render = Callable[[Result[Checked], str], str]
_MODE = 0o644
_PAGES = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Report:
    """The page that is wanted of a plan."""

    path: Path
    language: str


def find_report(path: Path) -> Render:
    """What writes such a file, by its name's end. Raises UnknownReport, ReportNotWritable."""
    suffix = path.suffix.lower()
    _demand_folder(path)
    if suffix in _PAGES:
        from dsdeploy.adapters.reports.html import render_html

        return render_html
    if suffix == ".json":
        from dsdeploy.adapters.reports.document import render_json

        return render_json
    if suffix == ".xml":
        from dsdeploy.adapters.reports.junit import render_junit

        return render_junit
    raise UnknownReport(text("unknown-report", path=path), hint=text("unknown-report-hint"))


def demand_page(path: Path) -> None:
    """A plan's report is a page. Raises UnknownReport, ReportNotWritable."""
    _demand_folder(path)
    if path.suffix.lower() not in _PAGES:
        raise UnknownReport(text("unknown-report", path=path), hint=text("plan-report-hint"))


def _demand_folder(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        message = text("not-writable", path=path, reason=path.absolute().parent)
        raise ReportNotWritable(message, hint=text("not-writable-hint"))


def write_report(path: Path, content: str) -> None:
    """Whole or not at all. Raises ReportNotWritable."""
    try:
        write_whole(path, content, _MODE)
    except OSError as error:
        message = text("not-writable", path=path, reason=error)
        raise ReportNotWritable(message, hint=text("not-writable-hint")) from error


def read_earlier(path: Path) -> dict[str, dict[str, Any]]:
    """The findings of an earlier JSON report, by id. Raises ReportUnreadable."""
    try:
        return read_report(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ReportUnreadable(
            text("unreadable", path=path, reason=error), hint=text("report-unreadable-hint")
        ) from error


def sign_report(path: Path, content: str, checked: Checked, key: Any) -> None:
    """Writes a DSSE envelope beside the report. Raises ReportNotWritable."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    statement = report_statement(path.name, digest, checked.verdict, checked.checked_at)
    write_report(_signature_of(path), encode_envelope(keys.sign(statement, (key,))).decode())


@dataclass(frozen=True, slots=True)
class ReportSigners:
    path: str
    verdict: str
    signers: tuple[keys.Signer, ...]


def verify_report(path: Path, trusted: tuple[keys.PublicKey, ...]) -> ReportSigners:
    """Who signed these very bytes. Raises ReportUnreadable, SignatureMissing, SignatureInvalid, SignerUnknown."""
    beside = _signature_of(path)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        signature = beside.read_bytes()
    except FileNotFoundError as error:
        if error.filename == str(path):
            raise ReportUnreadable(
                text("unreadable", path=path, reason=error), hint=text("report-unreadable-hint")
            ) from error
        raise SignatureMissing(
            text("report-unsigned", name=beside.name), hint=text("report-signature-missing-hint")
        ) from error
    try:
        envelope = decode_envelope(signature)
        verdict, signed = signed_report(envelope.payload)
    except (ValueError, RecursionError) as error:
        raise _invalid(beside, error) from error
    if signed != digest:
        raise _invalid(beside, f"SHA-256 {signed[:12]}… ≠ {digest[:12]}…")
    signers = keys.check(envelope, trusted)
    if any(one.name is not None and not one.valid for one in signers):
        raise _invalid(beside, ", ".join(one.key_id[:16] for one in signers))
    if not any(one.valid for one in signers):
        found = ", ".join(one.key_id[:16] for one in signers) or "-"
        raise SignerUnknown(text("signer-unknown", found=found), hint=text("signer-unknown-hint"))
    return ReportSigners(str(path), verdict, signers)


def _signature_of(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)


def _invalid(path: Path, reason: object) -> SignatureInvalid:
    return SignatureInvalid(
        text("signature-invalid", name=path.name, reason=reason), hint=text("report-signature-hint")
    )
