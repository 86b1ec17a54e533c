"""Speaks the chat part of the OpenAI API, plain and streamed, with its own clock and its own doubts."""

import time
from dataclasses import dataclass
from typing import Any

from dsdeploy.adapters.endpoint import PATIENT, Endpoint, Waits, no_answer, quoted, read_document
from dsdeploy.core.values import Sample

CHAT_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Question:
    """`output_tokens` is the most that may be answered; `exactly` asks the engine to go on to that number."""

    words: str
    output_tokens: int
    exactly: bool = False


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

    def complete(self, question: Question, waits: Waits = PATIENT) -> str:
        """The whole answer, with the model's reasoning before it. Raises NoAnswer."""
        document = self.endpoint.ask(CHAT_PATH, self.key, self._body(question), waits).document()
        return _words(_choice(document), "message")

    def stream(self, question: Question, waits: Waits = PATIENT) -> Stream:
        """The answer piece by piece. Raises NoAnswer."""
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
            tokens = (document.get("usage") or {}).get("completion_tokens", tokens)
            if document.get("choices") and (words := _words(_choice(document), "delta")):
                first_s = first_s if pieces else now_s
                last_s = now_s
                pieces.append(words)
        return Stream("".join(pieces), len(pieces), finished, Sample(first_s, last_s, tokens or len(pieces)))

    def _body(self, question: Question) -> dict[str, Any]:
        """`ignore_eos` is an extension that llama.cpp, vLLM and SGLang share."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": question.words}],
            "max_tokens": question.output_tokens,
            "temperature": 0,
        }
        return body | {"ignore_eos": True} if question.exactly else body


def _choice(document: dict[str, Any]) -> dict[str, Any]:
    try:
        choice: dict[str, Any] = document["choices"][0]
        return choice
    except (KeyError, IndexError, TypeError) as error:
        raise no_answer("answer-no-choice", start=quoted(str(document))) from error


def _words(choice: dict[str, Any], where: str) -> str:
    message = choice.get(where) if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise no_answer("answer-no-choice", start=quoted(str(choice)))
    return "".join(str(message.get(name) or "") for name in ("reasoning_content", "content"))
