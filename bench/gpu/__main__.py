"""Runs the measurements, each by itself, and writes one JSON file.

    python -m bench.gpu --out gpu.json
    python -m bench.gpu --render gpu.json

A section that fails leaves its error in the file, and the others go on. The file is written after each.
"""

import argparse
import json
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.gpu import predicting, requesting, swapping, training
from bench.gpu.measuring import Found, machine
from bench.gpu.tables import render
from bundle import Bundle, load_bundle

MAIN = "resnet50"
OTHERS = ("resnet18", "mobilenetv2_100")


def main() -> None:
    """Measure and write, or render."""
    parser = argparse.ArgumentParser(description="Measure this project on a GPU.")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="JSON file to write")
    parser.add_argument(
        "--render", type=Path, help="print this file as Markdown, and do nothing else"
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument(
        "--limit", type=float, default=420, help="seconds after which no section begins"
    )
    parser.add_argument("--budget", type=float, default=0.2, help="seconds for each figure")
    parser.add_argument("--network", default=MAIN, help="timm model of the main sections")
    parser.add_argument(
        "--others", nargs="*", default=OTHERS, help="timm models to compare with it"
    )
    parser.add_argument(
        "--bundles", type=Path, help="directory of bundles by network, used instead of exporting"
    )
    given = parser.parse_args()
    if given.render:
        print(render(json.loads(given.render.read_text())), end="")
        return
    with tempfile.TemporaryDirectory() as folder:
        Run(given, Path(folder)).all()


class Run:
    """One run of all sections.

    Args:
        given: the arguments of the command.
        folder: directory for bundles.
    """

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given = given
        self._folder = folder
        self._begun = time.perf_counter()
        self._bundles: dict[str, Bundle] = {}
        self._paths: dict[str, Path] = {}
        self.found: Found = {"machine": machine(), "arguments": vars(given) | {}, "sections": {}}

    def all(self) -> None:
        """Run every section, the most important ones first."""
        given = self._given
        network, device, budget = given.network, given.device, given.budget
        self._section(f"{network}: export", lambda: self._export(network))
        self._section(
            f"{network}: predictions",
            lambda: predicting.measure(self._bundle(network), device, budget),
        )
        for precision in ("fp32", "fp16") if device == "cuda" else ("fp32",):
            self._section(
                f"{network}: service, {precision}",
                partial(self._requests, network, precision),
            )
            self._section(
                f"{network}: swaps, {precision}", partial(self._swaps, network, precision)
            )
        repeats = 20 if device == "cuda" else 2
        self._section(
            f"{network}: training step",
            lambda: training.steps(network, device, given.size, 36, repeats),
        )
        self._section(
            f"{network}: observing",
            lambda: swapping.observing(self._bundle(network), self._paths[network], device, budget),
        )
        self._section(
            f"{network}: options of the provider",
            lambda: predicting.provider_options(self._bundle(network), device, budget / 2),
        )
        for name in given.others:
            self._section(f"{name}: export", partial(self._export, name))
            self._section(
                f"{name}: predictions",
                lambda name=name: predicting.measure(self._bundle(name), device, budget / 2),  # type: ignore[misc]
            )
        print(render(self.found))

    def _section(self, name: str, work: Callable[[], Any]) -> None:
        begun = time.perf_counter()
        section: Found = {}
        if begun - self._begun > self._given.limit:
            section["skipped"] = "the time was used up"
        else:
            try:
                section["result"] = work()
            except ImportError as error:
                section["skipped"] = f"{error}"
            except Exception:
                section["error"] = traceback.format_exc()[-3000:]
        section["seconds"] = time.perf_counter() - begun
        self.found["sections"][name] = section
        self.found["seconds"] = time.perf_counter() - self._begun
        self._given.out.write_text(json.dumps(self.found, indent=1, default=str))
        kind = next(kind for kind in ("result", "skipped", "error") if kind in section)
        print(f"{name}: {kind}, {section['seconds']:.1f} s", flush=True)
        if kind != "result":
            print(section[kind], flush=True)

    def _export(self, name: str) -> Found:
        begun = time.perf_counter()
        made = None if self._given.bundles is None else self._given.bundles / name
        if made is not None and made.is_dir():
            self._paths[name], self._bundles[name] = made, load_bundle(made)
        else:
            from bench.refold import make_bundle

            folder = self._folder / name
            folder.mkdir()
            self._bundles[name] = make_bundle(name, self._given.size, folder)
            self._paths[name] = folder / "bundle"
        return {"network": name, "seconds": round(time.perf_counter() - begun, 2)}

    def _bundle(self, name: str) -> Bundle:
        if name not in self._bundles:
            raise ImportError(f"{name} was not exported")
        return self._bundles[name]

    def _requests(self, name: str, precision: Any) -> Any:
        seconds = 3.0 if self._given.device == "cuda" else 1.0
        bundle = self._bundle(name)
        return requesting.requests(
            bundle, self._paths[name], self._given.device, precision, seconds
        )

    def _swaps(self, name: str, precision: Any) -> Any:
        bundle = self._bundle(name)
        count = 20 if self._given.device == "cuda" else 3
        return swapping.swaps(bundle, self._paths[name], self._given.device, precision, count)


if __name__ == "__main__":
    main()
