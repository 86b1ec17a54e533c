"""Speaks the chat part of the OpenAI API, plain and streamed, with its own clock and its own doubts."""

import time
from dataclasses import dataclass, field
from typing import Any

from dsdeploy.adapters.endpoint import Endpoint, Waits, no_answer, quoted, read_document, waits_for
from dsdeploy.core.values import Sample

CHAT_PATH = "/v1/chat/completions"
_PIECES_A_TOKEN = 4  # of those asked for: a stream of more does not mean to end


@dataclass(frozen=True, slots=True)
class Question:
    """`output_tokens` is the most that may be answered; `exactly` asks the engine to go on to that number.

    `more` are further fields of the request, by the API's own names.
    """

    words: str
    output_tokens: int
    exactly: bool = False
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer. `finish` is the service's reason to end: stop, length, tool_calls …"""

    content: str
    reasoning: str
    tool_calls: tuple[dict[str, Any], ...]
    finish: str
    prompt_tokens: int | None

    @property
    def words(self) -> str:
        return self.reasoning + self.content


@dataclass(frozen=True, slots=True)
class Stream:
    """One streamed answer: `chunks` held words of it, `finished` says that the service ended it by the rules."""

    words: str
    chunks: int
    finished: bool
    sample: Sample


@dataclass(frozen=True, slots=True)
class Chat:
    endpoint: Endpoint
    model: str
    key: str | None

    def complete(self, question: Question, waits: Waits | None = None) -> str:
        """The whole answer, with the model's reasoning before it. Raises NoAnswer."""
        return self.reply(question, waits).words

    def reply(self, question: Question, waits: Waits | None = None) -> Reply:
        """The whole answer, part by part. Raises NoAnswer."""
        waits = waits or waits_for(question.output_tokens, streamed=False)
        document = self.endpoint.ask(CHAT_PATH, self.key, self._body(question), waits).document()
        choice = _choice(document)
        content, reasoning = _parts(choice, "message")
        calls = choice["message"].get("tool_calls")
        return Reply(
            content,
            reasoning,
            tuple(one for one in calls if isinstance(one, dict)) if isinstance(calls, list) else (),
            str(choice.get("finish_reason")),
            _used(document, "prompt_tokens"),
        )

    def stream(self, question: Question, waits: Waits | None = None) -> Stream:
        """The answer piece by piece. Raises NoAnswer."""
        waits = waits or waits_for(question.output_tokens)
        body = self._body(question) | {"stream": True, "stream_options": {"include_usage": True}}
        began = time.perf_counter()
        pieces: list[str] = []
        first_s = last_s = 0.0
        tokens: int | None = None
        finished = False
        for data in self.endpoint.events(CHAT_PATH, self.key, body, waits):
            now_s = time.perf_counter() - began
            if data == "[DONE]":
                finished = True
                break
            document = read_document(data)
            tokens = _used(document, "completion_tokens") or tokens
            if document.get("choices") and (words := _words(_choice(document), "delta")):
                first_s = first_s if pieces else now_s
                last_s = now_s
                pieces.append(words)
                if len(pieces) > _PIECES_A_TOKEN * question.output_tokens:
                    raise no_answer("answer-endless", count=len(pieces), tokens=question.output_tokens)
        return Stream("".join(pieces), len(pieces), finished, Sample(first_s, last_s, tokens or len(pieces)))

    def time(self, question: Question, waits: Waits | None = None) -> Sample | None:
        """Only when the words came, for many streams at once; None where the stream broke off. Raises NoAnswer.

        An event is read only until the first words are found, and again at the end for the service's own count:
        reading every one would cost the client half of its time and slow the others' clocks.
        """
        waits = waits or waits_for(question.output_tokens)
        body = self._body(question) | {"stream": True, "stream_options": {"include_usage": True}}
        began = time.perf_counter()
        first_s = last_s = before_s = 0.0
        pieces = 0
        last = before = ""
        for data in self.endpoint.events(CHAT_PATH, self.key, body, waits):
            if data == "[DONE]":
                break
            now_s = time.perf_counter() - began
            if not first_s:
                document = read_document(data)
                if not (document.get("choices") and _words(_choice(document), "delta")):
                    continue
                first_s = now_s
            elif data.startswith('{"error"'):
                read_document(data)
            before, last = last, data
            before_s, last_s = last_s, now_s
            pieces += 1
        else:
            return None
        if not first_s:
            return None
        return _timed(first_s, (before_s, before), (last_s, last), pieces)

    def _body(self, question: Question) -> dict[str, Any]:
        """`ignore_eos` is an extension that llama.cpp, vLLM and SGLang share."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": question.words}],
            "max_tokens": question.output_tokens,
            "temperature": 0,
        }
        return body | ({"ignore_eos": True} if question.exactly else {}) | question.more


def _timed(first_s: float, before: tuple[float, str], last: tuple[float, str], pieces: int) -> Sample:
    """The last events are read for words and usage: usage may come alone after the last words."""
    tokens: int | None = None
    last_s = last[0]
    for at_s, data in (last, before):
        if not data:
            break
        document = read_document(data)
        tokens = tokens or _used(document, "completion_tokens")
        if document.get("choices") and _words(_choice(document), "delta"):
            last_s = at_s
            break
        pieces -= 1
        last_s = before[0]
    return Sample(first_s, max(first_s, last_s), tokens or max(1, pieces))


def _used(document: dict[str, Any], name: str) -> int | None:
    """A count of `usage`, where the service tells one."""
    usage = document.get("usage")
    told = usage.get(name) if isinstance(usage, dict) else None
    return told if isinstance(told, int) and told >= 0 else None


def _choice(document: dict[str, Any]) -> dict[str, Any]:
    try:
        choice: dict[str, Any] = document["choices"][0]
        return choice
    except (KeyError, IndexError, TypeError) as error:
        raise no_answer("answer-no-choice", start=quoted(str(document))) from error


def _words(choice: dict[str, Any], where: str) -> str:
    content, reasoning = _parts(choice, where)
    return reasoning + content


def _parts(choice: dict[str, Any], where: str) -> tuple[str, str]:
    """Content and reasoning, which engines call `reasoning_content` or, as vLLM does since 2025, `reasoning`."""
    message = choice.get(where) if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise no_answer("answer-no-choice", start=quoted(str(choice)))
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    return str(message.get("content") or ""), str(reasoning)
