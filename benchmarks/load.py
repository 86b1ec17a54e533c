"""What the load generator itself costs, and how late it sees a first token, beside a client of bare sockets.

    python benchmarks/load.py [STREAMS] [TOKENS]

A server of its own process sends one token each 0.25 s to each stream, so that both clients wait for the same thing.
Prints processor time a token, as percent of one core per 1,000 tokens/s, and both median times to first token.
"""

import asyncio
import json
import multiprocessing
import os
import socket
import sys
import time
from multiprocessing.connection import Connection

from dsdeploy.adapters.chat import Chat
from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.adapters.load import Shape, run_load
from dsdeploy.core.percentiles import spread

PAUSE_S = 0.25
ROUNDS = 20
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


def main(streams: int = 256, tokens: int = 40) -> None:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    chat = Chat(Endpoint("127.0.0.1", port), "m", None)
    run_load(chat, 1, 1, Shape(1, 2))
    load = run_load(chat, streams, 1, Shape(1, tokens))
    ours = spread([one.first_s for one in run_load(chat, 1, ROUNDS, Shape(1, 1)).samples], 50)
    bare = spread([bare_first_s(port) for _ in range(ROUNDS)], 50)
    server.terminate()
    print(f"{streams} streams of {tokens} tokens; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    cost = load.client_cpu_s_per_token
    print(f"client: {cost * 1e6:.1f} us/token = {cost * 1e5:.1f} % of one core per 1,000 tokens/s")
    for name, seen in (("load generator", ours), ("bare socket", bare)):
        print(f"first token, {name}: {seen.value * 1e3:.2f} ms ({seen.low * 1e3:.2f} … {seen.high * 1e3:.2f})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
