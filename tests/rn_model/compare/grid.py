"""A grid that trains in a second."""

from typing import Any

BASE: dict[str, Any] = {
    "source": "some",
    "target": "others",
    "domains": {
        "some": {"built_in": "handwritten-digits", "draw": {"count": 80}},
        "others": {"built_in": "handwritten-digits", "draw": {"count": 50, "seed": 1}},
    },
    "preprocessing": {"mode": "L", "height": 8, "width": 8, "mean": [0.3], "std": [0.4]},
    "backbone": {
        "name": "digits:digitnet",
        # With fewer channels torch 2.13 writes past the end of a buffer on processors without AVX-512:
        # oneDNN's backward pass of strided 1x1 convolutions in channels_last.
        "arguments": {"size": 8, "width": 8, "bottleneck": 8},
    },
    "training": {"source_steps": 3, "steps": 3, "batch_size": 8, "learning_rate": 0.01},
    "keep_images": 0,
    "device": "cpu",
}


def tiny_grid(**changes: Any) -> dict[str, Any]:
    """The grid as nested mappings and lists, with changes."""
    grid = {
        "base": BASE,
        "tasks": [{"name": "digits"}],
        "normalizations": ["bn", "rn"],
        "objectives": ["source-only", "mcc"],
        "seeds": [0],
    }
    return {**grid, **changes}
