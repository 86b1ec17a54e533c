"""Takes secrets out of what is shown to strangers: those that are known, however written, and what looks like one."""

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import quote

MARK = "[redacted]"
_NAMES = (
    r"(?:api[_-]?keys?|access[_-]?key|private[_-]?key|secrets?|tokens?|passwords?|passwd|passphrase|credentials?"
    r"|authorization|cookie)"
)
# What each issuer's tokens begin with: docs of Hugging Face, GitHub, GitLab, AWS, Slack, OpenAI; RFC 7519 for eyJ.
_SHAPES = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\bdsk-[0-9A-Za-z._~+/-]{8,}"),
    re.compile(r"\b(?:hf_|sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|ms-)[0-9A-Za-z_-]{16,}"),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\beyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*"),
)
_AFTER = (
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)([0-9A-Za-z._~+/=-]{6,})"),
    re.compile(r"(://[^/\s:@\"']*:)([^/\s@\"']+)(?=@)"),
    re.compile(rf"(?i)((?:^|[^0-9A-Za-z])[0-9A-Za-z_.-]*{_NAMES}[\"']?\s*[:=]\s*[\"']?)([^\s\"',;}}\]]+)"),
    re.compile(rf"(?i)(--?[0-9a-z-]*{_NAMES}[\"']?,?\s+[\"']?)([^\s\"',;}}\]-][^\s\"',;}}\]]*)"),
)
# A path, a number or a word that only says whether there is a secret is none itself.
_PLAIN = re.compile(r"(?:/[^\s]*|\d{1,7}|none|null|true|false|\[redacted\])", re.IGNORECASE)
_SHORTEST = 6


@dataclass(slots=True)
class Redactor:
    """`known` are secrets that are there for sure; `count` is how many places were taken out."""

    known: tuple[str, ...]
    count: int = 0
    _written: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Longest first, so that none leaves a part of a longer one behind."""
        ways = {way for one in self.known if len(one) >= _SHORTEST for way in _ways(one)}
        self._written = tuple(sorted(ways, key=len, reverse=True))

    def clean(self, words: str) -> str:
        for one in self._written:
            self.count += words.count(one)
            words = words.replace(one, MARK)
        for shape in _SHAPES:
            words, times = shape.subn(MARK, words)
            self.count += times
        for pattern in _AFTER:
            words = pattern.sub(self._hide, words)
        return words

    def _hide(self, found: re.Match[str]) -> str:
        if _PLAIN.fullmatch(found[2]):
            return found[0]
        self.count += 1
        return found[1] + MARK


def _ways(secret: str) -> set[str]:
    """Plain, as a URL and JSON write it, in hexadecimal, and in Base64 at each of its three places in a longer text."""
    raw = secret.encode()
    plain = {secret, quote(secret, safe=""), secret.encode("unicode_escape").decode(), raw.hex()}
    return plain | {_base64_inside(raw, skip) for skip in range(3)}


def _base64_inside(raw: bytes, skip: int) -> str:
    """The signs that depend on `raw` alone when `skip` other bytes stand before it and any after it."""
    written = base64.b64encode(bytes(skip) + raw).decode()
    return written[-(-skip * 8 // 6) : (skip + len(raw)) * 8 // 6]
