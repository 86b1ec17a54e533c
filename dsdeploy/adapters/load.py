"""Puts a load on a service and times it: streams one after the other, then as many at once as there are users."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

from dsdeploy.adapters.chat import Chat, Question
from dsdeploy.adapters.endpoint import PATIENT, Waits, no_answer
from dsdeploy.core.values import Load, Sample

_numbers = itertools.count(int(time.time()) % 1_000_000)


def run_load(chat: Chat, at_once: int, rounds: int, output_tokens: int, waits: Waits = PATIENT) -> Load:
    """`at_once` users, each asking `rounds` questions one after the other. Raises NoAnswer as soon as one stream fails.

    `client_cpu_s` is what reading the answers cost this program, by each thread's own clock.
    """
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once, thread_name_prefix="user") as users:
        asked = [users.submit(_user, chat, rounds, output_tokens, waits) for _ in range(at_once)]
        answered = [one.result() for one in asked]
    took_s = time.perf_counter() - began
    samples = tuple(sample for mine, _ in answered for sample in mine)
    return Load(at_once, samples, took_s, sum(cpu_s for _, cpu_s in answered))


def _user(chat: Chat, rounds: int, output_tokens: int, waits: Waits) -> tuple[tuple[Sample, ...], float]:
    began = time.thread_time()
    samples = tuple(_sample(chat, output_tokens, waits) for _ in range(rounds))
    return samples, time.thread_time() - began


def _sample(chat: Chat, output_tokens: int, waits: Waits) -> Sample:
    """Each question begins differently, so that no engine answers it from an earlier prompt's cache."""
    words = f"{next(_numbers)}. Tell a story about the sea."
    stream = chat.stream(Question(words, output_tokens, exactly=True), waits)
    if not stream.finished or not stream.chunks:
        raise no_answer("answer-cut")
    return stream.sample
