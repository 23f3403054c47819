"""A tiny HTTP server, in a thread of its own, that answers as a test wants it to."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from rn.load.sending.request import Address

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"

# What is answered to the request of a number; None closes the connection without an answer.
Answer = Callable[[int], Awaitable[bytes | None]]


@dataclass
class Server:
    """A server that runs, and what it received."""

    address: Address
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0


@contextmanager
def answering(answer: Answer) -> Iterator[Server]:
    """Serve on a free port."""
    loop = asyncio.new_event_loop()
    server = Server(Address("127.0.0.1", 0))
    handlers: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                server.heads.append(head)
                server.bodies.append(await reader.readexactly(length))
                content = await answer(len(server.bodies) - 1)
                if content is None:
                    break
                writer.write(content)
                await writer.drain()
                if content == CLOSING:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(handle, "127.0.0.1", 0)

    listening = loop.run_until_complete(listen())
    server.address = Address("127.0.0.1", listening.sockets[0].getsockname()[1])
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def stop() -> None:
        listening.close()
        # Connections that are just being accepted get their handlers first.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in handlers & others:
                task.cancel()
            # Each is cancelled once, and then closes its connection undisturbed.
            handlers.clear()
            await asyncio.wait(others, timeout=0.01)
        for writer in writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        # What was aborted last closes its socket in the turns that follow.
        for _ in range(3):
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def always(content: bytes | None) -> Answer:
    """Every request is answered at once with the same bytes."""

    async def answer(_: int) -> bytes | None:
        return content

    return answer
