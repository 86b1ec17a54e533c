"""What the load generator itself costs, and how late it sees a first token, beside a client of bare sockets.

    python -m benchmarks.load [--streams 256] [--tokens 40] [--json FILE]

A server of its own process sends one token each 0.25 s to each stream, so that both clients wait for the same thing.
Processor time is percent of one core per 1,000 tokens/s; times to first token are medians of one stream at a time, the
two clients in turn.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import time
from multiprocessing.connection import Connection

from benchmarks.figures import Row, add_json, report
from dsdeploy.adapters.chat import Chat
from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.adapters.load import Shape, run_load

PAUSE_S = 0.25
ROUNDS = 40
CPU_LIMIT_PERCENT, LATER_LIMIT_MS = 5.0, 2.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(next(one for one in head.split(b"\r\n") if one.lower().startswith(b"content-length")).split()[-1])
    tokens = json.loads(await reader.readexactly(length))["max_tokens"]
    writer.write(HEAD)
    for number in range(tokens):
        await asyncio.sleep(PAUSE_S)
        choice = {"index": 0, "delta": {"content": f" word{number}"}, "finish_reason": None}
        piece = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        writer.write(b"data: " + json.dumps(piece).encode() + b"\n\n")
    usage = {"choices": [], "usage": {"completion_tokens": tokens}}
    writer.write(b"data: " + json.dumps(usage).encode() + b"\n\ndata: [DONE]\n\n")
    await writer.drain()
    writer.close()


async def listen(told: Connection) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve(told: Connection) -> None:
    asyncio.run(listen(told))


def bare_first_s(port: int) -> float:
    """From the connection's begin to the first byte after the answer's head."""
    body = b'{"max_tokens": 1}'
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        heard = b""
        while b"data:" not in heard:
            heard += plain.recv(65536)
        first_s = time.perf_counter() - began
        while plain.recv(65536):
            pass
    return first_s


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--streams", type=int, default=256)
    asked.add_argument("--tokens", type=int, default=40, help="of each stream")
    add_json(asked)
    given = asked.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    chat = Chat(Endpoint("127.0.0.1", port), "m", None)
    run_load(chat, 1, 1, Shape(1, 2))
    cost = run_load(chat, given.streams, 1, Shape(1, given.tokens)).client_cpu_s_per_token
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours += [one.first_s * 1e3 for one in run_load(chat, 1, 1, Shape(1, 1)).samples]
        bare.append(bare_first_s(port) * 1e3)
    server.terminate()
    seen, plain = statistics.median(ours), statistics.median(bare)
    rows = (
        Row("processor time of the client per 1,000 tokens/s", cost * 1e5, None, "%", CPU_LIMIT_PERCENT, of="ours"),
        Row("time to first token", seen, plain, "ms"),
        Row("time to first token, later than the bare socket", seen - plain, None, "ms", LATER_LIMIT_MS, of="ours"),
    )
    report(given.json, "load", "a client of bare sockets", rows)


if __name__ == "__main__":
    main()
