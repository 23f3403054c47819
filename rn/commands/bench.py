"""The command ``rn bench``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rn.failing import INTERRUPTED, CommandError, fail, one_line
from rn.options import bench as options
from rn.options.bench import Scenario
from rn.options.common import LOCAL, TargetName

if TYPE_CHECKING:
    from rn.load.ceiling import Ceiling
    from rn.load.scenarios import Bench
    from rn.load.sending.load import Load
    from rn.load.sending.request import Payload

DEFAULT = [Scenario.SINGLE_STREAM, Scenario.OFFLINE, Scenario.SERVER]


def bench(
    service: options.Service = LOCAL,
    scenario: options.Scenarios = None,
    rate: options.Rates = None,
    clients: options.Clients = 16,
    bound: options.Bound = None,
    seconds: options.Seconds = 10.0,
    warm_up: options.WarmUp = 2.0,
    image: options.Images = None,
    npy: options.Npy = 0,
    bundle: options.Served = None,
    target: TargetName = "default",
    key: options.Key = None,
    seed: options.Seed = 0,
    as_json: options.JsonFile = None,
    plot: options.PlotFile = None,
) -> None:
    """Measure how fast a service answers, beside its limit.

    The scenarios are those of MLPerf: single-stream has one client; offline saturates the service; server
    is the largest rate of random arrivals at which 99 % of the answers keep a bound. open-loop has random
    arrivals at given rates. Latency counts from the moment at which a request was due. Ctrl-C prints what
    was measured so far.
    """
    from rn.load.errors import LoadError
    from rn.load.report import describe_measurement
    from rn.load.scenarios import Bench

    chosen = scenario or ([Scenario.OPEN_LOOP] if rate else DEFAULT)
    if (Scenario.OPEN_LOOP in chosen) != bool(rate):
        fail("--rate gives the requests per second of the scenario open-loop; use both or neither")
    is_url = "://" in service
    folder = bundle if is_url else Path(service)
    with one_line(LoadError):
        payloads = _payloads(image or [], npy, folder, seed)
        limit = _limit(folder, payloads)
        with _load(service if is_url else None, folder, payloads, target, key) as load:
            measured = Bench(
                load,
                seconds,
                warm_up,
                seed,
                lambda m: typer.echo(describe_measurement(m), err=True),
            )
            _measure(measured, chosen, rate or [], clients, bound)
    _report(measured, payloads[0].images, limit)
    if as_json is not None:
        _write(as_json, measured, limit)
    if plot is not None:
        _plot(plot, measured, limit)
    if measured.interrupted:
        raise typer.Exit(INTERRUPTED)


def _payloads(images: list[Path], npy: int, bundle: Path | None, seed: int) -> "list[Payload]":
    from rn.load.payload import jpeg_payloads, npy_payloads, read_payloads

    if images:
        return read_payloads(images)
    if not npy:
        return jpeg_payloads(seed=seed)
    if bundle is None:
        fail("--npy needs the shape of images: name the bundle that the URL serves with --bundle")
    from bundle.errors import BundleError
    from bundle.reading.loading import load_bundle

    with one_line(BundleError):
        shape = load_bundle(bundle).manifest.preprocessing.shape
    return npy_payloads(shape, npy, seed=seed)


def _limit(bundle: Path | None, payloads: "list[Payload]") -> "Ceiling | None":
    """The limit of the machine, measured before the service is started; None without a bundle."""
    from rn.load.ceiling import measure_ceiling

    return None if bundle is None else measure_ceiling(bundle, payloads)


@contextmanager
def _load(
    url: str | None,
    bundle: Path | None,
    payloads: "list[Payload]",
    target: str,
    key: str | None,
) -> "Iterator[Load]":
    """The load on a service that runs, or on one that is started here."""
    from dataclasses import replace
    from urllib.parse import quote

    from rn.load.local_service import local_service
    from rn.load.process_usage import ProcessTree, find_server
    from rn.load.sending.load import make_load
    from rn.load.sending.request import parse_url

    if key:
        headers = {"Authorization": f"Bearer {key}"}
        payloads = [replace(payload, headers=headers) for payload in payloads]
    path = "/predict" if target == "default" else f"/targets/{quote(target, safe='')}/predict"
    if url is not None:
        address = parse_url(url)
        yield make_load(address, path, payloads, find_server(address.host, address.port))
        return
    assert bundle is not None
    with local_service(bundle) as (started, pid):
        yield make_load(parse_url(started), path, payloads, ProcessTree(pid))


def _measure(
    bench: "Bench", chosen: list[Scenario], rates: list[float], clients: int, bound: float | None
) -> None:
    """Run the scenarios in an order in which each finds what it needs from those before it."""
    from rn.load.scenarios import DEFAULT_BOUND

    search = Scenario.SERVER in chosen
    allowed = None if bound is None else bound / 1e3
    if Scenario.SINGLE_STREAM in chosen or (search and allowed is None):
        single = bench.single_stream()
        allowed = allowed or DEFAULT_BOUND * single.percentile(50)
    if (Scenario.OFFLINE in chosen or search) and not bench.interrupted:
        saturated = bench.offline(clients)
        if search and allowed and saturated.requests_per_second and not bench.interrupted:
            bench.server(allowed, saturated.requests_per_second)
    for rate in rates:
        if not bench.interrupted:
            bench.open_loop(rate)


def _report(bench: "Bench", images: int, limit: "Ceiling | None") -> None:
    from rn.load.report import describe_limit, describe_server, show_measurements

    show_measurements(bench.measurements)
    if bench.bound is not None:
        typer.echo(describe_server(bench.bound, bench.best_rate))
    if limit is None:
        typer.echo(
            "with --bundle, the bundle that the URL serves, the limit of this machine is shown"
        )
        return
    best = max(bench.measurements, key=lambda m: m.requests_per_second)
    for line in describe_limit(limit, images, best):
        typer.echo(line)


def _write(path: Path, bench: "Bench", limit: "Ceiling | None") -> None:
    from bundle.writing.atomic import write_file

    found = {
        "images_per_request": bench.load.images,
        "limit": None if limit is None else asdict(limit),
        "bound_ms": None if bench.bound is None else 1e3 * bench.bound,
        "largest_rate": None if bench.best_rate is None else bench.best_rate.offered,
        "measurements": [measured.to_json(bench.bound) for measured in bench.measurements],
    }
    with one_line(OSError):
        write_file(path, json.dumps(found, indent=2).encode())


def _plot(path: Path, bench: "Bench", limit: "Ceiling | None") -> None:
    from bundle.extras import missing_package
    from rn.load.plot import plot_latency

    try:
        with one_line(OSError, ValueError):
            plot_latency(bench.measurements, limit, bench.bound, path)
    except ModuleNotFoundError as error:
        needed = missing_package(error.name, "train")
        if needed is None:
            raise
        raise CommandError(f"--plot needs {needed}") from error
