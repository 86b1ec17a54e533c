"""Does it answer, whole and streamed, and refuse what is too long?"""

import re

from dsdeploy.adapters.chat import CHAT_PATH, Question
from dsdeploy.core import catalogue
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned

_COUNT = Question("Count from one to five.", 24)
_CAPITAL = Question("请用中文简短回答：中国的首都是哪座城市？", 64)
_HAN = re.compile("[\u4e00-\u9fff]")  # CJK Unified Ideographs
_TOO_LONG = (400, 413, 422)


def answers(subject: Subject) -> Outcome:
    words = subject.chat.complete(_COUNT).strip()
    measured = f"{len(words)}"
    if not words:
        return failed(text("check-answer-empty"), text("check-answer-empty-hint"), measured=measured, limit="≥ 1")
    return passed(text("check-answers"), measured=measured, limit="≥ 1")


def streams(subject: Subject) -> Outcome:
    stream = subject.chat.stream(_COUNT)
    measured, limit = str(stream.chunks), "≥ 2"
    if not stream.finished:
        return failed(text("check-stream-unfinished"), text("check-stream-hint"), measured=measured, limit=limit)
    if not stream.words.strip():
        return failed(text("check-answer-empty"), text("check-answer-empty-hint"), measured=measured, limit=limit)
    if stream.chunks < 2:
        return failed(text("check-stream-in-one"), text("check-stream-hint"), measured=measured, limit=limit)
    return passed(text("check-streams"), measured=measured, limit=limit)


def answers_chinese(subject: Subject) -> Outcome:
    if subject.release.model_id == catalogue.smoke()["model"]["id"]:
        return skipped(text("check-smoke-quality"))
    words = subject.chat.complete(_CAPITAL)
    count, broken = len(_HAN.findall(words)), words.count("\ufffd")
    if broken:
        return failed(text("check-chinese-broken", count=broken), text("check-chinese-hint"), measured=f"{count}")
    if not count:
        return warned(text("check-not-chinese"), text("check-chinese-hint"), measured="0", limit="≥ 1")
    return passed(text("check-chinese"), measured=f"{count}", limit="≥ 1")


def refuses_too_long(subject: Subject) -> Outcome:
    """Each ` a` and ` b` is a token at least, so that this prompt is twice the planned context or more."""
    words = " a b" * subject.release.context_tokens
    body = {"model": subject.release.model_id, "messages": [{"role": "user", "content": words}], "max_tokens": 1}
    status = subject.endpoint.ask(CHAT_PATH, subject.key, body).status
    measured, limit = str(status), " / ".join(map(str, _TOO_LONG))
    if status in _TOO_LONG:
        return passed(text("check-refuses-long"), measured=measured, limit=limit)
    return failed(text("check-takes-long"), text("check-takes-long-hint"), measured=measured, limit=limit)
