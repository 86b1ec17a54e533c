"""Puts a load on a service and times it: a closed loop of users, or an open one of arrivals that no answer delays."""

import itertools
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dsdeploy.adapters.chat import Chat, Question
from dsdeploy.adapters.endpoint import Waits, no_answer
from dsdeploy.core.values import Load, Sample

_numbers = itertools.count(int(time.time()) % 1_000_000)
_FILLER = "Tell a story about the sea. "
_FILLER_TOKENS = 7  # of most tokenizers; the service's own count is what is reported


@dataclass(frozen=True, slots=True)
class Shape:
    """One request's size. The prompt is about `prompt_tokens` long; the answer is exactly `output_tokens` where the
    engine knows `ignore_eos`."""

    prompt_tokens: int
    output_tokens: int


def run_load(chat: Chat, at_once: int, rounds: int, shape: Shape, waits: Waits | None = None) -> Load:
    """Closed loop: `at_once` users, each asking `rounds` questions one after the other.

    Raises NoAnswer as soon as one stream fails. `client_cpu_s` is what reading the answers cost this program, by each
    thread's own clock.
    """

    def user(_: int) -> tuple[tuple[Sample, ...], float]:
        began = time.thread_time()
        samples = tuple(_sample(chat, shape, waits) for _ in range(rounds))
        return samples, time.thread_time() - began

    return _measure(at_once, at_once, user)


def run_arrivals(
    chat: Chat, per_s: float, requests: int, shape: Shape, waits: Waits | None = None, *, seed: int = 1
) -> Load:
    """Open loop: `requests` that arrive at random, `per_s` a second on average, whether earlier ones are done or not.

    Times between arrivals are exponential (a Poisson process) and, by `seed`, the same in every run. A request's clock
    starts when it is due, so that a client that falls behind shows it. Raises NoAnswer.
    """
    arrivals = random.Random(seed)
    due_s = list(itertools.accumulate(arrivals.expovariate(per_s) for _ in range(requests)))
    start = time.perf_counter()

    def user(number: int) -> tuple[tuple[Sample, ...], float]:
        time.sleep(max(0.0, start + due_s[number] - time.perf_counter()))
        late_s = time.perf_counter() - start - due_s[number]
        began = time.thread_time()
        one = _sample(chat, shape, waits)
        return (Sample(one.first_s + late_s, one.last_s + late_s, one.output_tokens),), time.thread_time() - began

    return _measure(requests, requests, user)


def _measure(at_once: int, users: int, user: Callable[[int], tuple[tuple[Sample, ...], float]]) -> Load:
    began = time.perf_counter()
    with ThreadPoolExecutor(users, thread_name_prefix="user") as threads:
        answered = list(threads.map(user, range(users)))
    took_s = time.perf_counter() - began
    samples = tuple(sample for mine, _ in answered for sample in mine)
    return Load(at_once, samples, took_s, sum(cpu_s for _, cpu_s in answered))


def _sample(chat: Chat, shape: Shape, waits: Waits | None) -> Sample:
    """Each question begins differently, so that no engine answers it from an earlier prompt's cache."""
    words = f"{next(_numbers)}. " + _FILLER * max(1, shape.prompt_tokens // _FILLER_TOKENS)
    sample = chat.time(Question(words, shape.output_tokens, exactly=True), waits)
    if sample is None:
        raise no_answer("answer-cut")
    return sample
