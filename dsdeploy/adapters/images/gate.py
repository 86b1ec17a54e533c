"""Passes connections from a published port on to an engine that has no way out: LISTEN_PORT HOST PORT.

An engine on a closed network cannot publish a port itself. This relay stands on both networks, adds nothing, keeps
nothing and reads nothing. It stands alone (standard library only), for it runs inside the engine's image.
"""

import asyncio
import contextlib
import signal
import sys

_CHUNK_BYTES = 1 << 16
_AWAY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until the end, then says so to the other side; a broken side breaks the other."""
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def main(listen_port: int, host: str, port: int) -> None:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            engine_reader, engine_writer = await asyncio.wait_for(asyncio.open_connection(host, port), 10)
        except (OSError, TimeoutError):
            writer.write(_AWAY)
        else:
            await asyncio.gather(relay(reader, engine_writer), relay(engine_reader, writer))
            engine_writer.close()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await asyncio.start_server(pass_on, "0.0.0.0", listen_port)
    await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
