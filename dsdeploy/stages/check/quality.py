"""Are the answers those of a sound model? Enough to catch broken weights and templates, not to rank a model."""

from concurrent.futures import ThreadPoolExecutor

from dsdeploy.adapters.chat import Question, Reply
from dsdeploy.core.models import reasoning_of
from dsdeploy.core.questions import QualityQuestion, quality_questions, repeated
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned

_AT_ONCE = 8
_TOKENS, _REASONING_TOKENS = 96, 2048
_RIGHT_SHARE, _BROKEN_SHARE = 0.8, 0.5  # dsdeploy's own limits: a sound model errs seldom, a broken one nearly always


def right_answers(subject: Subject) -> Outcome:
    if subject.is_smoke:
        return skipped(text("check-smoke-quality"))
    asked = _asked(subject)
    wrong = [question for question, reply in asked if not question.is_right(reply.content)]
    right = len(asked) - len(wrong)
    measured, limit = f"{right} / {len(asked)}", f"≥ {_RIGHT_SHARE * 100:.0f} %"
    if right >= len(asked) * _RIGHT_SHARE:
        return passed(text("check-right"), measured=measured, limit=limit)
    judge = failed if right < len(asked) * _BROKEN_SHARE else warned
    message = text("check-wrong-answers", question=wrong[0].words)
    return judge(message, text("check-quality-hint"), measured=measured, limit=limit)


def no_repetition(subject: Subject) -> Outcome:
    if subject.is_smoke:
        return skipped(text("check-smoke-quality"))
    asked = _asked(subject)
    loops = [piece for _, reply in asked if (piece := repeated(reply.words)) is not None]
    measured, limit = f"{len(loops)} / {len(asked)}", "0"
    if loops:
        message = text("check-repeats", piece=loops[0].strip()[:40])
        return failed(message, text("check-quality-hint"), measured=measured, limit=limit)
    return passed(text("check-no-repeats"), measured=measured, limit=limit)


def language_kept(subject: Subject) -> Outcome:
    if subject.is_smoke:
        return skipped(text("check-smoke-quality"))
    asked = _asked(subject)
    foreign = [question for question, reply in asked if question.is_foreign(reply.content)]
    measured, limit = f"{len(foreign)} / {len(asked)}", "≤ 1"
    if len(foreign) > 1:
        message = text("check-foreign", question=foreign[0].words)
        return warned(message, text("check-quality-hint"), measured=measured, limit=limit)
    return passed(text("check-language"), measured=measured, limit=limit)


def _asked(subject: Subject) -> tuple[tuple[QualityQuestion, Reply], ...]:
    """Every question once, for all checks of this file. Raises NoAnswer."""
    if not subject.replies:
        tokens = _REASONING_TOKENS if reasoning_of(subject.release.model_id) == "always" else _TOKENS
        tokens = min(tokens, subject.release.context_tokens // 2)
        with ThreadPoolExecutor(min(_AT_ONCE, subject.release.users)) as users:
            replies = users.map(lambda one: subject.chat.reply(Question(one.words, tokens)), quality_questions())
            subject.replies.extend(zip(quality_questions(), replies, strict=True))
    return tuple(subject.replies)
