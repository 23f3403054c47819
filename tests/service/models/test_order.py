"""What an operator does comes before images that wait."""

import asyncio
import threading
from functools import partial
from pathlib import Path

from tests.service.running import serving, settings_for


def test_an_operator_waits_for_no_images_that_wait(bundle_path: Path, tmp_path: Path) -> None:
    order, started, release = list[str](), threading.Event(), threading.Event()

    def first() -> None:
        started.set()
        assert release.wait(60)
        order.append("first")

    async def all_at_once() -> None:
        images = [asyncio.create_task(model.adapt(first))]
        await asyncio.to_thread(started.wait, 60)
        for name in ("second", "third"):
            images.append(asyncio.create_task(model.adapt(partial(order.append, name))))
        # All of them wait before the operator comes.
        await asyncio.sleep(0)
        operator = asyncio.create_task(model.write(lambda: order.append("operator")))
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(operator, *images)

    with serving(settings_for(bundle_path, tmp_path)) as service:
        model = service.resources.models.default
        asyncio.run(all_at_once())
    assert order == ["first", "operator", "second", "third"]
