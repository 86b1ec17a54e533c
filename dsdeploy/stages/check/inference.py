"""Does it answer, whole and streamed, do what an API of this kind promises, and refuse what is too long?"""

import json
import re
from typing import Any

from dsdeploy.adapters.chat import CHAT_PATH, Question
from dsdeploy.adapters.endpoint import Waits
from dsdeploy.core.json_text import begins_object
from dsdeploy.core.models import reasoning_of, tools_of
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import COUNT, Outcome, Subject, failed, passed, skipped, warned

_CAPITAL = "请用中文简短回答：中国的首都是哪座城市？"
_HAN = re.compile("[\u4e00-\u9fff]")  # CJK Unified Ideographs
_TOO_LONG = (400, 413, 422)
_RAW_THINKING = ("<think>", "</think>")
_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["yes", "no"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_REASONING_TOKENS = 1024
_OBJECT_TOKENS = 32  # an object of one key takes 13 where a grammar indents it
_NEEDLE = "7391"
_NEEDLE_TOKENS = 20  # the sentence that hides it and the one that asks for it, in any tokenizer
_LONG_SHARE, _LONG_SHARE_LEAST = 0.9, 0.75  # of the context: what is asked, and what must have been read
_LONG_ANSWER_TOKENS = 32
_FEW, _MANY = 2, 12  # sentences, to count what one of them is in this tokenizer
_LONG = Waits(byte_s=600, total_s=900)


def answers(subject: Subject) -> Outcome:
    words = subject.counted.words.strip()
    measured = f"{len(words)}"
    if not words:
        return failed(text("check-answer-empty"), text("check-answer-empty-hint"), measured=measured, limit="≥ 1")
    return passed(text("check-answers"), measured=measured, limit="≥ 1")


def streams(subject: Subject) -> Outcome:
    stream = subject.chat.stream(COUNT)
    measured, limit = str(stream.chunks), "≥ 2"
    if not stream.finished:
        return failed(text("check-stream-unfinished"), text("check-stream-hint"), measured=measured, limit=limit)
    if not stream.words.strip():
        return failed(text("check-answer-empty"), text("check-answer-empty-hint"), measured=measured, limit=limit)
    if stream.chunks < 2:
        return failed(text("check-stream-in-one"), text("check-stream-hint"), measured=measured, limit=limit)
    return passed(text("check-streams"), measured=measured, limit=limit)


def answers_chinese(subject: Subject) -> Outcome:
    if subject.is_smoke:
        return skipped(text("check-smoke-quality"))
    reply = subject.chat.reply(Question(_CAPITAL, _tokens(subject)))
    words = reply.content or reply.reasoning
    count, broken = len(_HAN.findall(words)), words.count("\ufffd")
    if broken:
        return failed(text("check-chinese-broken", count=broken), text("check-chinese-hint"), measured=f"{count}")
    if not count:
        return warned(text("check-not-chinese"), text("check-chinese-hint"), measured="0", limit="≥ 1")
    return passed(text("check-chinese"), measured=f"{count}", limit="≥ 1")


def reads_long(subject: Subject) -> Outcome:
    """A number stands at the beginning of a prompt of nine tenths of the context, and is asked for at its end."""
    context = subject.release.context_tokens
    filler = "The sea is wide. "
    few, many = (subject.chat.reply(Question(filler * times, 1)).prompt_tokens for times in (_FEW, _MANY))
    if not few or not many or many <= few:
        return skipped(text("check-long-uncounted"))
    filler_tokens = (many - few) / (_MANY - _FEW)
    wanted = min(context * _LONG_SHARE, context - _LONG_ANSWER_TOKENS - _NEEDLE_TOKENS)
    times = int((wanted - _NEEDLE_TOKENS - (few - _FEW * filler_tokens)) / filler_tokens)
    words = f"The secret number is {_NEEDLE}. {filler * max(1, times)}What is the secret number?"
    judged = not subject.is_smoke and not _reasons(subject)  # whether the answer is, beside the count of what was read
    reply = subject.chat.reply(Question(words, _LONG_ANSWER_TOKENS if judged else 1), _LONG)
    read = reply.prompt_tokens or 0
    measured, limit = f"{read:,} tokens", f"≥ {int(context * _LONG_SHARE_LEAST):,} tokens"
    if read < context * _LONG_SHARE_LEAST:
        return failed(text("check-long-cut"), text("check-takes-long-hint"), measured=measured, limit=limit)
    if judged and _NEEDLE not in reply.words:
        return warned(text("check-long-lost"), text("check-long-lost-hint"), measured=measured, limit=limit)
    return passed(text("check-long"), measured=measured, limit=limit)


def parses_reasoning(subject: Subject) -> Outcome:
    """A reasoning model's thoughts come apart from its answer and are not empty; others send no raw marks of them,
    which would open any answer."""
    reasons = _reasons(subject)
    reply = subject.chat.reply(Question("What is 17 + 25?", _tokens(subject))) if reasons else subject.counted
    raw = [mark for mark in _RAW_THINKING if mark in reply.content]
    measured = f"{len(reply.reasoning)}"
    if raw:
        message = text("check-reasoning-raw", marks=", ".join(raw))
        return failed(message, text("check-reasoning-hint"), measured=measured, limit="0 " + raw[0])
    if not reasons:
        return passed(text("check-reasoning-none"), measured=measured, limit="≥ 0")
    if not reply.reasoning.strip():
        return failed(text("check-reasoning-empty"), text("check-reasoning-hint"), measured=measured, limit="≥ 1")
    return passed(text("check-reasoning"), measured=measured, limit="≥ 1")


def calls_tools(subject: Subject) -> Outcome:
    if not tools_of(subject.release.model_id):
        return skipped(text("check-tools-none"))
    more = {"tools": [_TOOL], "tool_choice": "auto"}
    reply = subject.chat.reply(Question("What is the weather in Beijing? Use the tool.", _tokens(subject), more=more))
    measured, limit = str(len(reply.tool_calls)), "≥ 1"
    if not reply.tool_calls:
        return warned(text("check-tools-silent"), text("check-tools-hint"), measured=measured, limit=limit)
    function: Any = reply.tool_calls[0].get("function")
    try:
        arguments = json.loads(function["arguments"]) if function["name"] == "get_weather" else None
    except (ValueError, TypeError, KeyError):
        arguments = None
    if not isinstance(arguments, dict) or "city" not in arguments:
        message = text("check-tools-wrong", said=str(function)[:200])
        return failed(message, text("check-tools-hint"), measured=measured, limit=limit)
    return passed(text("check-tools"), measured=measured, limit=limit)


def keeps_schema(subject: Subject) -> Outcome:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": _SCHEMA}}
    question = Question("Is water wet? Answer as JSON.", _tokens(subject), more={"response_format": form})
    said = subject.chat.reply(question).content
    try:
        answer = json.loads(said)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and answer.get("answer") in ("yes", "no"):
        return passed(
            text("check-json"), measured=json.dumps(answer, ensure_ascii=False)[:80], limit='{"answer": "yes" | "no"}'
        )
    message = text("check-json-broken", said=said[:200])
    return failed(message, text("check-json-hint"), measured=said.strip()[:80] or "-", limit='{"answer": "yes" | "no"}')


def keeps_json(subject: Subject) -> Outcome:
    """JSON mode: any object, of no schema, or the beginning of one that a talkative model does not end in time.

    The API asks that the prompt itself speaks of JSON.
    """
    more = {"response_format": {"type": "json_object"}}
    words = "Name a colour as a JSON object with one key, colour."
    tokens = _tokens(subject) if _reasons(subject) else _OBJECT_TOKENS
    reply = subject.chat.reply(Question(words, tokens, more=more))
    said = reply.content
    measured, limit = " ".join(said.split())[:80] or "-", "{ … }"
    if reply.finish == "length" and begins_object(said):
        return passed(text("check-json-cut", tokens=tokens), measured=measured, limit=limit)
    try:
        answer = json.loads(said)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        return passed(text("check-json-mode"), measured=measured, limit=limit)
    return failed(text("check-json-broken", said=said[:200]), text("check-json-hint"), measured=measured, limit=limit)


def stops(subject: Subject) -> Outcome:
    """The answer to the very same question must end before a word from the middle of what was answered before."""
    first = subject.counted.content
    words = first.split()
    mark = words[len(words) // 2] if len(words) > 1 else first[len(first) // 2 :][:1]
    if not mark.strip():
        return skipped(text("check-stop-unasked"))
    reply = subject.chat.reply(Question(COUNT.words, COUNT.output_tokens, more={"stop": [mark]}))
    if mark in reply.content:
        return failed(text("check-stop-ignored"), text("check-stop-hint"), measured=mark, limit="0")
    return passed(text("check-stop"), measured=reply.finish, limit="stop")


def repeats_itself(subject: Subject) -> Outcome:
    """At temperature 0 with one seed, one after the other, so that no other request shares the batch."""
    question = Question(COUNT.words, COUNT.output_tokens, more={"seed": 1})
    subject.chat.complete(question)  # what an engine keeps of a prompt changes its second answer's sums, not later ones
    said = {subject.chat.complete(question) for _ in range(3)}
    measured, limit = str(len(said)), "1"
    if len(said) > 1:
        return warned(text("check-unlike"), text("check-unlike-hint"), measured=measured, limit=limit)
    return passed(text("check-alike"), measured=measured, limit=limit)


def refuses_too_long(subject: Subject) -> Outcome:
    """Each ` a` and ` b` is a token at least, so that this prompt is twice the planned context or more."""
    words = " a b" * subject.release.context_tokens
    body = {"model": subject.release.model_id, "messages": [{"role": "user", "content": words}], "max_tokens": 1}
    status = subject.endpoint.ask(CHAT_PATH, subject.key, body).status
    measured, limit = str(status), " / ".join(map(str, _TOO_LONG))
    if status in _TOO_LONG:
        return passed(text("check-refuses-long"), measured=measured, limit=limit)
    return failed(text("check-takes-long"), text("check-takes-long-hint"), measured=measured, limit=limit)


def _tokens(subject: Subject) -> int:
    """How long a short answer may be, with a reasoning model's thoughts before it, in half the context at most."""
    return min(_REASONING_TOKENS if _reasons(subject) else 64, subject.release.context_tokens // 2)


def _reasons(subject: Subject) -> bool:
    return reasoning_of(subject.release.model_id) == "always"
