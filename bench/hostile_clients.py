"""Hostile clients: ``python -m bench.hostile_clients NAME URL``, until the process is ended."""

import argparse
import asyncio
import io
import random
from collections.abc import Awaitable, Callable
from itertools import cycle

import numpy as np
from PIL import Image

from rn.load.payload import jpeg_payloads
from rn.load.sending.request import Address, Payload, parse_url, post

MUTATED = 10_000


async def _hold(address: Address, first: bytes, drip: bytes = b"", every: float = 1.0) -> None:
    """Send something, then a little now and then, again and again on new connections."""
    while True:
        try:
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(first)
            await writer.drain()
            while not reader.at_eof():
                await asyncio.sleep(every)
                writer.write(drip)
                await writer.drain()
            writer.close()
        except OSError:
            pass
        await asyncio.sleep(0.5)


async def _flood(address: Address, path: str, make: Callable[[], Payload], count: int) -> None:
    """Send requests one after another, and read whatever is answered."""
    for _ in range(count):
        try:
            reader, writer = await asyncio.open_connection(address.host, address.port)
            request = post(address, path, make()).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            writer.write(request)
            await writer.drain()
            await reader.read()
            writer.close()
        except OSError:
            await asyncio.sleep(0.1)


def _announced(address: Address, length: int) -> bytes:
    """The head of a request that announces a body of a length."""
    host = f"{address.host}:{address.port}"
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode()


async def slow_headers(address: Address) -> None:
    """Fifty heads, a byte a second."""
    await asyncio.gather(*(_hold(address, b"POST /predict HT", b"T") for _ in range(50)))


async def slow_bodies(address: Address) -> None:
    """Fifty bodies, a hundred bytes a second."""
    head = _announced(address, 10**6)
    await asyncio.gather(*(_hold(address, head, bytes(100)) for _ in range(50)))


async def held_bodies(address: Address) -> None:
    """Thirty bodies of 32 MB that stop before their end."""
    head = _announced(address, 32 * 2**20) + bytes(31 * 2**20)
    await asyncio.gather(*(_hold(address, head) for _ in range(30)))


async def idle_connections(address: Address) -> None:
    """Three hundred connections that say nothing."""
    await asyncio.gather(*(_hold(address, b"") for _ in range(300)))


async def json_flood(address: Address) -> None:
    """Millions of empty strings on four connections."""
    text = b'{"images": [' + b'"",' * 2_500_000 + b'""]}'
    made = Payload(text, "application/json")
    await asyncio.gather(*(_flood(address, "/predict", lambda: made, 10**9) for _ in range(4)))


async def large_png(address: Address) -> None:
    """Eight clients post images of 16 megapixels to /adapt."""
    pixels = np.random.default_rng(0).integers(0, 8, (4000, 4000, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    made = Payload(file.getvalue(), "image/png")
    await asyncio.gather(*(_flood(address, "/adapt", lambda: made, 10**9) for _ in range(8)))


async def honest_clients(address: Address) -> None:
    """Four clients that post good images without pause: what any attack of four clients compares with."""
    payloads = cycle(jpeg_payloads(4))
    await asyncio.gather(
        *(_flood(address, "/predict", lambda: next(payloads), 10**9) for _ in range(4))
    )


async def mutated_files(address: Address) -> None:
    """Ten thousand image files with a few wrong bytes, on four connections."""
    originals = jpeg_payloads(4)
    generator = random.Random(0)

    def mutate() -> Payload:
        content = bytearray(generator.choice(originals).body)
        for _ in range(generator.randint(1, 20)):
            content[generator.randrange(len(content))] = generator.randrange(256)
        del content[generator.randrange(len(content) // 2, len(content)) :]
        return Payload(bytes(content), "image/jpeg")

    await asyncio.gather(*(_flood(address, "/predict", mutate, MUTATED // 4) for _ in range(4)))
    print("all were sent")


ATTACKS: dict[str, Callable[[Address], Awaitable[None]]] = {
    "slow headers": slow_headers,
    "slow bodies": slow_bodies,
    "held bodies": held_bodies,
    "idle connections": idle_connections,
    "four honest clients": honest_clients,
    "JSON floods": json_flood,
    "large PNG to /adapt": large_png,
    "mutated files": mutated_files,
}


def main() -> None:
    """Attack until this process is ended."""
    parser = argparse.ArgumentParser(description="A hostile client of a service that you run.")
    parser.add_argument("attack", choices=ATTACKS)
    parser.add_argument("url")
    given = parser.parse_args()

    async def attack() -> None:
        await ATTACKS[given.attack](parse_url(given.url))

    asyncio.run(attack())


if __name__ == "__main__":
    main()
