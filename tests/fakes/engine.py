"""Stands in for an engine: speaks the streamed and plain OpenAI API at a pace that the request asks for.

`max_tokens` events come `gap_s` apart after `first_s`, each `pad` letters longer; `report` is what the last one tells
of tokens: usage, timings (llama.cpp's) or nothing. It takes one key and answers /health to everybody. Asked to take
another protocol it agrees.
"""

import asyncio
import json
import sys
from typing import Any

KEY = "engine-secret-of-the-stand-in-0123456789"


async def serve(port: int) -> None:
    server = await asyncio.start_server(_talk, "127.0.0.1", port, backlog=512)
    print("listening", flush=True)
    await server.serve_forever()


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            path = head[0].split(" ")[1]
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            if path == "/health":
                await _plain(writer, 200, {"status": "ok"})
            elif fields.get("authorization") != f"bearer {KEY}":
                await _plain(writer, 401, {"error": "key"})
            elif "upgrade" in fields:
                writer.write(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
                await reader.read()
            elif path == "/v1/models":
                await _plain(writer, 200, {"data": [{"id": "stand-in"}]})
            else:
                await _answer(writer, json.loads(body))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _answer(writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
    count, pad = int(asked.get("max_tokens", 8)), "x" * int(asked.get("pad", 0))
    await asyncio.sleep(float(asked.get("first_s", 0)))
    usage = {"prompt_tokens": 7, "completion_tokens": count}
    if not asked.get("stream"):
        await _plain(writer, 200, {"choices": [{"message": {"content": "word " * count}}], "usage": usage})
        return
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(count):
        _chunk(writer, {"choices": [{"delta": {"content": f"word{number}{pad}"}}]})
        await writer.drain()
        await asyncio.sleep(float(asked.get("gap_s", 0)))
    match asked.get("report"):
        case "usage":
            _chunk(writer, {"choices": [], "usage": usage})
        case "timings":
            _chunk(writer, {"choices": [{"delta": {}}], "timings": {"prompt_n": 7, "predicted_n": count}})
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    await writer.drain()


def _chunk(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    data = f"data: {json.dumps(event)}\n\n".encode()
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def _plain(writer: asyncio.StreamWriter, status: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
