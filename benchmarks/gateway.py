"""What the gateway costs against the engine directly, in one run: real HAProxy with TLS before a paced stand-in engine.

    python -m benchmarks.gateway --streams 64 --rounds 5

Latency: one short answer after the other on kept connections, directly and through the gateway in turn; the medians'
difference is what is added. Throughput: all streams at once, each token `--gap-ms` after the one before, as an engine
paces them; tokens per second over the whole time, directly and through the gateway in turn. The client runs here, too.
"""

import argparse
import asyncio
import json
import ssl
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.engine import KEY
from tests.fakes.gateway import SECRET, gateway

END = b"\r\n0\r\n\r\n"  # the last chunk: a header, too, may end in 0


@dataclass(frozen=True, slots=True)
class Side:
    port: int
    key: str
    tls: ssl.SSLContext | None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = "127.0.0.1" if self.tls else None
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, server_hostname=name)

    def request(self, body: dict[str, object]) -> bytes:
        words = json.dumps(body)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
        return f"{head}Content-Length: {len(words)}\r\n\r\n{words}".encode()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    """Seconds until the whole streamed answer was there."""
    began = time.perf_counter()
    writer.write(request)
    tail = b""
    while not tail.endswith(END):
        piece = await reader.read(65536)
        if not piece:
            raise ConnectionError(tail)
        tail = (tail + piece)[-len(END) :]
    return time.perf_counter() - began


async def latencies(sides: tuple[Side, ...], count: int) -> list[list[float]]:
    opened = [await side.connect() for side in sides]
    found: list[list[float]] = [[] for _ in sides]
    for number in range(count + 20):
        for place, side in enumerate(sides):
            took = await answer(*opened[place], side.request({"stream": True, "max_tokens": 1}))
            if number >= 20:
                found[place].append(took)
    return found


async def throughput(side: Side, streams: int, tokens: int, gap_s: float) -> float:
    opened = [await side.connect() for _ in range(streams)]
    request = side.request({"stream": True, "max_tokens": tokens, "gap_s": gap_s})
    began = time.perf_counter()
    await asyncio.gather(*(answer(*one, request) for one in opened))
    took = time.perf_counter() - began
    for _, writer in opened:
        writer.close()
    return streams * tokens / took


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--requests", type=int, default=500)
    asked.add_argument("--streams", type=int, default=64)
    asked.add_argument("--tokens", type=int, default=200)
    asked.add_argument("--gap-ms", type=float, default=30)
    asked.add_argument("--rounds", type=int, default=5)
    options = asked.parse_args()
    limits = {"RATE_PER_MINUTE": "1000000", "CONCURRENT_PER_KEY": "1000"}
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), **limits) as found:
        direct = Side(found.engine_port, KEY, None)
        through = Side(found.port, SECRET, ssl.create_default_context(cafile=str(found.authority)))
        plain, behind = asyncio.run(latencies((direct, through), options.requests))
        rates: list[list[float]] = [[], []]
        for _ in range(options.rounds):
            for place, side in enumerate((direct, through)):
                rates[place].append(
                    asyncio.run(throughput(side, options.streams, options.tokens, options.gap_ms / 1000))
                )
    middle = (statistics.median(plain) * 1e3, statistics.median(behind) * 1e3)
    print(f"latency p50 of {options.requests}: directly {middle[0]:.2f} ms, gateway {middle[1]:.2f} ms", end=", ")
    print(f"added {middle[1] - middle[0]:.2f} ms")
    p99 = [statistics.quantiles(one, n=100)[98] * 1e3 for one in (plain, behind)]
    print(f"latency p99: directly {p99[0]:.2f} ms, gateway {p99[1]:.2f} ms")
    before, after = (statistics.median(one) for one in rates)
    print(f"throughput, {options.streams} streams: directly {before:,.0f} tokens/s, gateway {after:,.0f} tokens/s,"
          f" lost {1 - after / before:.1%} ({options.rounds} rounds)")  # fmt: skip


if __name__ == "__main__":
    main()
