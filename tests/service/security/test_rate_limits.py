"""Rate limits and quotas, by a clock that the tests move, and over HTTP."""

import random
from pathlib import Path

import httpx
import pytest

from service.errors import RateLimited, Unauthenticated
from service.security.authentication import MAX_FAILURES, Authenticator
from service.security.keys import ApiKey, digest_of, file_entry, new_key
from service.security.rate_limits import MINUTE, ByAddress, SlidingWindow
from service.vocabulary import ERROR_PREFIX
from tests.service.pictures import NPY, noise, npy
from tests.service.running import serving, settings_for


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("seed", range(5))
def test_a_window_opens_when_it_says(seed: int) -> None:
    generator = random.Random(seed)
    window = SlidingWindow(20, MINUTE)
    now = 1000.0
    for _ in range(2000):
        wait = window.wait(now)
        if wait:
            assert window.wait(now + wait * 0.99) > 0
            now += wait + 1e-6
            assert window.wait(now) == 0
        window.take(generator.choice([1, 1, 1, 30]), now)
        now += generator.expovariate(1)


def test_the_limit_holds_for_every_minute() -> None:
    """For those too that lie across two minutes of the clock."""
    window = SlidingWindow(60, MINUTE)
    taken: list[float] = []
    for step in range(3000):
        now = 1000 + step / 10
        if not window.wait(now):
            window.take(1, now)
            taken.append(now)
    for start in taken:
        assert sum(start <= moment < start + MINUTE for moment in taken) <= 60
    # All that is allowed can be used, but for a slot.
    assert len(taken) == 60 * 5


def test_addresses_of_one_network_share_and_old_ones_are_forgotten() -> None:
    things = ByAddress(object, capacity=2)
    one = things.of("2001:db8::1")
    assert things.of("2001:db8::2%eth0") is one
    assert things.of("::ffff:192.0.2.1") is things.of("192.0.2.1")
    assert things.of("2001:db8::3") is one
    things.of("192.0.2.2")
    assert len(things) == 2
    assert things.of("2001:db8::1") is one


def test_failures_are_counted_by_address_and_lock_nobody_out() -> None:
    clock, key = Clock(), new_key()
    with_key = Authenticator(
        [ApiKey("camera", frozenset({"predict"}), digest_of(key))], clock=clock
    )
    for _ in range(MAX_FAILURES):
        with pytest.raises(Unauthenticated):
            with_key.authenticate(None, "wrong", "192.0.2.1")
    with pytest.raises(RateLimited) as caught:
        with_key.authenticate(None, "wrong", "192.0.2.1")
    assert with_key.authenticate(None, key, "192.0.2.1").name == "camera"
    with pytest.raises(Unauthenticated):
        with_key.authenticate(None, "wrong", "192.0.2.2")
    clock.now += caught.value.retry_after + 1
    with pytest.raises(Unauthenticated):
        with_key.authenticate(None, "wrong", "192.0.2.1")


def test_requests_and_images_of_a_key(bundle_path: Path, tmp_path: Path) -> None:
    """The limits of a key in the file come first, and those of the settings hold for the others."""
    slow, small, other = new_key(), new_key(), new_key()
    path = tmp_path / "keys.toml"
    entries = [
        file_entry("slow", ["predict"], slow) + "requests_per_second = 1\n",
        file_entry("small", ["predict"], small) + "images_per_day = 3\n",
        file_entry("other", ["predict"], other),
    ]
    path.write_text("".join(entries))
    path.chmod(0o600)
    given = {"keys_file": path, "images_per_minute": 100}
    with serving(settings_for(bundle_path, tmp_path, **given)) as service:

        def predict(key: str, count: int) -> httpx.Response:
            headers = {**NPY, "X-API-Key": key}
            return service.http.post("/predict", headers=headers, content=npy(noise(count)))

        def refused(key: str, reason: str) -> None:
            answer = predict(key, 1)
            assert answer.status_code == 429
            assert answer.json()["type"] == f"{ERROR_PREFIX}rate-limited"
            assert answer.json()["detail"].startswith(reason)
            assert int(answer.headers["Retry-After"]) >= 1

        answers = [predict(slow, 1).status_code for _ in range(40)]
        assert set(answers) == {200, 429}
        # The request that exceeds the quota is answered; the next one is not, before it is read.
        assert predict(small, 2).status_code == 200
        assert predict(small, 2).status_code == 200
        refused(small, "more than 3 images per day; ")
        assert predict(other, 64).status_code == 200
        assert predict(other, 64).status_code == 200
        refused(other, "more than 100 images per minute; ")
        health = service.http.get("/health/ready", headers={"X-API-Key": small})
        assert (health.status_code, health.json()["model"]) == (200, "small")


def test_unknown_keys_of_an_address_are_refused_at_last(bundle_path: Path, tmp_path: Path) -> None:
    with serving(settings_for(bundle_path, tmp_path, predict_key=new_key())) as service:
        headers = {"X-API-Key": new_key()}
        answers = [service.http.get("/docs", headers=headers) for _ in range(MAX_FAILURES + 1)]
        assert [answer.status_code for answer in answers[:MAX_FAILURES]] == [401] * MAX_FAILURES
        assert answers[-1].status_code == 429
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= MINUTE + 1
        # Without a key, nothing is counted.
        assert service.http.get("/docs").status_code == 401
