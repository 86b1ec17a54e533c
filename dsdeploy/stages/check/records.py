"""Is it written down who asked, and never what was asked?"""

import json
import time
from collections.abc import Iterator
from typing import Any

from dsdeploy.adapters.chat import CHAT_PATH, Question
from dsdeploy.adapters.endpoint import QUICK
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import COUNT, Outcome, Subject, failed, passed, skipped, warned

_GATEWAY = "gateway"
_WHO_ASKED = ("engine", _GATEWAY)  # the parts that see a prompt
_LINES = 2_000
# GB/T 22239-2019, 8.1.4.3 b): date and time, user, kind of event, whether it succeeded, and what else an audit needs
_FIELDS = ("when", "client", "key", "path", "status")
_TAKEN, _REFUSED = (200,), (401, 403)
_WRITTEN_S, _LOOK_S = 5, 0.5


def requests_audited(subject: Subject) -> Outcome:
    """One request that is answered and one with a wrong key, each to be found in the audit log as what it was."""
    if _GATEWAY not in subject.target.log_parts:
        return skipped(text("check-audit-none"))
    before = {one["id"] for one in _audited(subject)}
    subject.chat.reply(Question(COUNT.words, 1))
    subject.endpoint.ask(CHAT_PATH, "wrong", {}, QUICK)
    end = time.monotonic() + _WRITTEN_S
    while True:
        new = [one for one in _audited(subject) if one["id"] not in before and one.get("path") == CHAT_PATH]
        kinds = [[one for one in new if one.get("status") in wanted] for wanted in (_TAKEN, _REFUSED)]
        if all(kinds) or time.monotonic() > end:
            break
        time.sleep(_LOOK_S)
    measured, limit = f"{sum(map(bool, kinds))} / 2", "2 / 2"
    if not all(kinds):
        return failed(text("check-audit-gap"), text("check-audit-hint"), measured=measured, limit=limit)
    taken, refused = kinds[0][0], kinds[1][0] | {"key": "none"}  # who is refused has no key's name
    blank = [field for field in _FIELDS if any(one.get(field) in (None, "", "-") for one in (taken, refused))]
    if blank:
        message = text("check-audit-blank", fields=", ".join(blank))
        return failed(message, text("check-audit-hint"), measured=measured, limit=limit)
    return passed(text("check-audit", key=taken["key"]), measured=measured, limit=limit)


def prompts_unlogged(subject: Subject) -> Outcome:
    """What the checks themselves asked is sought in the logs of whatever sees a prompt."""
    subject.chat.reply(Question(COUNT.words, 1))
    found = {part: _holding(subject, part) for part in _WHO_ASKED if part in subject.target.log_parts}
    measured, limit = str(sum(found.values())), "0"
    if any(found.values()):
        message = text("check-prompts-logged", parts=", ".join(part for part, count in found.items() if count))
        return warned(message, text("check-prompts-logged-hint"), measured=measured, limit=limit)
    return passed(text("check-prompts-unlogged"), measured=measured, limit=limit)


def _audited(subject: Subject) -> Iterator[dict[str, Any]]:
    """The requests that the gateway wrote down; what it says of itself stands between them and is no JSON."""
    for line in subject.target.logs(subject.release, _LINES, part=_GATEWAY):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and "id" in said:
            yield said


def _holding(subject: Subject, part: str) -> int:
    return sum(COUNT.words in line for line in subject.target.logs(subject.release, _LINES, part=part))
