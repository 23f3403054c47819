"""The end of the service: announced first, and nothing that was asked is left unanswered."""

import signal
import threading
from pathlib import Path

import httpx

from tests.service.pictures import NPY, noise, npy
from tests.service.processes import LONG, Process, client, started
from tests.service.server.sockets import connect, read_all, read_answer

READY = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Balancer:
    """Clients of a service that leave when it is not ready, as a load balancer makes them."""

    def __init__(self, process: Process, count: int) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self.warm = threading.Event()
        self._process = process
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(LONG)
            assert not thread.is_alive()

    def _run(self) -> None:
        body = npy(noise(1))
        with client(self._process) as http:
            try:
                while http.get("/health/ready").status_code == 200:
                    for _ in range(10):
                        answer = http.post("/predict", content=body, headers=NPY)
                        with self._lock:
                            if answer.status_code != 200:
                                self.failures.append(answer.text)
                            self.answered += 1
                            if self.answered >= 200:
                                self.warm.set()
            except httpx.TransportError as error:
                self.failures.append(repr(error))
            finally:
                self.warm.set()


def test_no_request_fails_when_the_service_stops_under_load(
    bundle_path: Path, tmp_path: Path
) -> None:
    delay = {"RN_SHUTDOWN_DELAY_SECONDS": "10"}
    with started(bundle_path, tmp_path, **delay) as process:
        load = Balancer(process, 8)
        assert load.warm.wait(LONG)
        process.terminate()
        load.join()
        assert load.failures == [] and load.answered >= 200
        assert process.exit_code() == 0


def test_requests_are_taken_while_readiness_already_fails(
    bundle_path: Path, tmp_path: Path
) -> None:
    delay = {"RN_SHUTDOWN_DELAY_SECONDS": str(LONG)}
    with started(bundle_path, tmp_path, **delay) as process:
        with client(process) as http:
            assert "connection" not in http.get("/health/ready").headers
            process.terminate()
            while (answer := http.get("/health/ready")).status_code == 200:
                pass
            assert answer.status_code == 503
            answer = http.post("/predict", content=npy(noise(1)), headers=NPY)
            assert answer.status_code == 200
            # So that the client's next request opens a connection, perhaps to another replica.
            assert answer.headers["connection"] == "close"
        # A second signal ends the wait.
        process.terminate()
        assert process.exit_code() == 0


def test_an_interrupt_does_not_wait(bundle_path: Path, tmp_path: Path) -> None:
    delay = {"RN_SHUTDOWN_DELAY_SECONDS": str(10 * LONG)}
    with started(bundle_path, tmp_path, **delay) as process:
        with client(process) as http:
            assert http.get("/health/ready").status_code == 200
        process.send(signal.SIGINT)
        assert process.exit_code() == 0


def test_what_is_under_way_is_answered(bundle_path: Path, tmp_path: Path) -> None:
    body = npy(noise(1))
    head = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    with started(bundle_path, tmp_path) as process, connect(process.url) as link:
        link.sendall(head)
        assert link.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        process.terminate()
        process.wait_for("Waiting for connections to close")
        link.sendall(body)
        answer, _ = read_answer(link)
        assert b" 200 " in answer and b"connection: close" in answer
        assert process.exit_code() == 0


def test_what_does_not_end_is_given_up(bundle_path: Path, tmp_path: Path) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
        b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
    )
    drain = {"RN_DRAIN_SECONDS": "1"}
    with started(bundle_path, tmp_path, **drain) as process, connect(process.url) as link:
        link.sendall(head)
        assert link.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        process.terminate()
        read_all(link)
        assert process.exit_code() == 0
