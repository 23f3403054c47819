"""Synthetic directories of runs, with everything that a report shows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

STEPS = 400
EMOTIONS = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
OFFICE = (
    "back_pack", "bike", "bike_helmet", "bookcase", "bottle", "calculator", "desk_chair",
    "desk_lamp", "desktop_computer", "file_cabinet", "headphones", "keyboard", "laptop_computer",
    "letter_tray", "mobile_phone", "monitor", "mouse", "mug", "paper_notebook", "pen", "phone",
    "printer", "projector", "punchers", "ring_binder", "ruler", "scissors", "speaker", "stapler",
    "tape_dispenser", "trash_can",
)  # fmt: skip


def make_run(
    path: Path,
    names: Sequence[str] = EMOTIONS,
    *,
    labels: bool = True,
    finished: bool = True,
    kind: str = "rn",
    layers: int = 20,
    images: int = 120,
) -> Path:
    """Write the directory of a run; ``labels`` states whether the labels of the target are known."""
    path.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(len(names))
    (path / "config.yaml").write_text(yaml.safe_dump(_config(names, kind), sort_keys=False))
    history = _history(generator, labels=labels)
    if not finished:
        history = history[: len(history) * 3 // 4]
        lines = "".join(f"{json.dumps(entry)}\n" for entry in history)
        (path / "history.jsonl").write_text(f'{lines}{{"kind": "train", "sta')
        return path
    (path / "history.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in history))
    arrays: dict[str, Any] = dict(_arrays(generator, names, images, labels=labels))
    np.savez_compressed(path / "evaluation.npz", **arrays)
    (path / "layers.json").write_text(json.dumps(_layers(generator, kind, layers)))
    (path / "result.json").write_text(json.dumps(_result(names, kind, history, labels=labels)))
    record = {
        "factory": "backbone",
        "classes": list(names),
        "weights_sha256": "5e" * 32,
        "fingerprints": {"source": "a1" * 32, "target": "b2" * 32},
    }
    (path / "run.json").write_text(json.dumps(record))
    return path


def _config(names: Sequence[str], kind: str) -> dict[str, Any]:
    return {
        "name": "amazon to webcam",
        "task": {
            "source": {"path": "/data/office-31/amazon"},
            "target": {"path": "/data/office-31/webcam"},
            "classes": list(names),
        },
        "preprocessing": {"height": 224, "width": 224, "channels": 3},
        "backbone": {"name": "timm:resnet18", "arguments": {}, "bottleneck": 256},
        "normalization": {"kind": kind, "correlation_scale": 1.0, "groups": None},
        "objectives": [{"name": "cdan+e", "weight": 1.0}, {"name": "mcc", "weight": 1.0}],
        "training": {"source_steps": STEPS, "steps": STEPS, "batch_size": 36, "keep": "best"},
        "seed": 3,
    }


def _history(generator: np.random.Generator, *, labels: bool) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for stage in ("source", "adapt"):
        for step in range(2, STEPS + 1, 2):
            done = step / STEPS
            noise = generator.normal(size=3) * 0.06
            losses = {"cross_entropy": 0.3 + 1.7 * float(np.exp(-6 * done)) + abs(noise[0])}
            if stage == "adapt":
                losses["cross_entropy"] = 0.25 + 0.3 * float(np.exp(-5 * done)) + abs(noise[0])
                losses |= {
                    "cdan+e": 0.69 - 0.1 * done + noise[1],
                    "mcc": 0.8 - 0.5 * done + noise[2],
                }
            entries.append(
                {
                    "kind": "train",
                    "stage": stage,
                    "step": step,
                    "steps": STEPS,
                    "loss": sum(losses.values()),
                    "losses": losses,
                    "learning_rate": 0.005 * (1 + float(np.cos(np.pi * done))),
                    "images_per_second": (300 if stage == "source" else 420)
                    + 200 * float(noise[0]),
                }
            )
            if step % (STEPS // 8) == 0:
                # The last evaluation is good on the target but has forgotten the source.
                forgotten = stage == "adapt" and step == STEPS
                gain = 0.25 * (1 - float(np.exp(-4 * done))) if stage == "adapt" else 0.0
                entries.append(
                    {
                        "kind": "evaluation",
                        "stage": stage,
                        "step": step,
                        "information": 0.55 + gain,
                        "nuclear_norm": 0.62 + gain,
                        "source_accuracy": 0.7
                        if forgotten
                        else 0.96 - 0.15 * float(np.exp(-6 * done)),
                        "oracle_target_accuracy": 0.58 + gain if labels else None,
                    }
                )
    return entries


def _arrays(
    generator: np.random.Generator, names: Sequence[str], images: int, *, labels: bool
) -> dict[str, NDArray[Any]]:
    count = len(names)
    centres = generator.normal(size=(count, 24)) * 2.2
    source, target = (generator.integers(count, size=images) for _ in range(2))
    shift = generator.normal(size=24) * 2
    features = {
        "before_source": centres[source] + generator.normal(size=(images, 24)),
        "before_target": 0.5 * centres[target] + generator.normal(size=(images, 24)) + shift,
        "after_source": centres[source] + generator.normal(size=(images, 24)),
        "after_target": 0.9 * centres[target] + generator.normal(size=(images, 24)) + 0.1 * shift,
    }
    true = np.concatenate([target, generator.integers(count, size=9 * images)])
    logits = generator.gumbel(size=(len(true), count)) + 4.5 * np.eye(count)[true]
    # Some classes look like their neighbours.
    logits += 3 * np.eye(count)[(true + 1) % count] * (true % 3 == 0)[:, None]
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    unknown = np.full(len(true), -1)
    # Before the adaptation, every fourth prediction was another class.
    before = (probability.argmax(axis=1) + (np.arange(len(true)) % 4 == 0)) % count
    return {
        **{name: values.astype(np.float32) for name, values in features.items()},
        "before_predicted": before,
        **_pictures(generator, count, labels=labels),
        "source_label": source,
        "target_label": target if labels else unknown[:images],
        "target_probability": probability.astype(np.float32),
        "target_true": true if labels else unknown,
    }


def _pictures(
    generator: np.random.Generator, count: int, *, labels: bool
) -> dict[str, NDArray[Any]]:
    true = generator.integers(count, size=32)
    hue = np.linspace(40, 220, 96)[None, None, :, None] * np.ones((32, 72, 1, 3))
    pixels = hue + 12 * true[:, None, None, None] + generator.normal(size=hue.shape) * 8
    source = np.repeat([True, False, False, False], 8)
    return {
        "picture": pixels.clip(0, 255).astype(np.uint8),
        "picture_group": np.repeat(np.arange(4), 8),
        "picture_true": true if labels else np.where(source, true, -1),
        "picture_predicted": np.where(source, -1, (true + (np.arange(32) % 3 == 0)) % count),
        "picture_confidence": np.where(source, np.nan, generator.uniform(0.3, 1, size=32)),
    }


def _layers(generator: np.random.Generator, kind: str, count: int) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = []
    for number in range(count):
        depth = number / count
        channels = 64 * 2 ** int(4 * depth)
        channels = 1024 if number == count - 2 else channels
        groups = min(channels, 512)
        reciprocal = kind == "rn"
        layers.append(
            {
                "name": f"layer{int(4 * depth) + 1}.{number % 5}.bn{number % 2 + 1}",
                "channels": channels,
                "shift_mean": float(0.5 * np.exp(-2 * depth) * generator.uniform(0.7, 1.3)),
                "shift_variance": float(0.3 * np.exp(-depth) * generator.uniform(0.6, 1.4)),
                "perplexity_mean": groups * float(1 - 0.3 * depth**2) if reciprocal else None,
                "perplexity_variance": groups * float(1 - 0.1 * depth) if reciprocal else None,
                "gate_mean": float(1 - 0.2 * depth * generator.uniform()) if reciprocal else None,
                "gate_variance": float(1 - 0.1 * depth * generator.uniform())
                if reciprocal
                else None,
                "alpha": float(1 - 0.3 * depth) if kind == "autodial" else None,
            }
        )
    return layers


def _result(
    names: Sequence[str], kind: str, history: Sequence[dict[str, Any]], *, labels: bool
) -> dict[str, Any]:
    chosen = STEPS * 7 // 8
    kept = next(
        e
        for e in history
        if e["kind"] == "evaluation" and e["stage"] == "adapt" and e["step"] == chosen
    )
    return {
        "name": "amazon to webcam",
        "normalization": {"kind": kind, "groups": None},
        "objectives": ["cdan+e", "mcc"],
        "seed": 3,
        "scores": {"information": kept["information"], "nuclear_norm": kept["nuclear_norm"]},
        "source_accuracy": kept["source_accuracy"],
        "oracle_target_accuracy": kept["oracle_target_accuracy"] if labels else None,
        "test_accuracy": None,
        "chosen_step": chosen,
        "steps": STEPS,
        "seconds": 754.2,
        "classes": list(names),
        "before": {
            "name": "source only",
            "oracle_target_accuracy": kept["oracle_target_accuracy"] - 0.2 if labels else None,
            "source_accuracy": 0.95,
            "information": 0.55,
            "nuclear_norm": 0.62,
            "seconds": None,
        },
        "images": {"source": 2535, "validation": 282, "target": 795},
        "class_shares": {
            "source": [1 / len(names)] * len(names),
            "target": [0.6, *[0.4 / (len(names) - 1)] * (len(names) - 1)],
            "images": 795,
        },
    }
