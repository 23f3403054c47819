"""Measures a training step with each normalization on the device."""

import statistics

from bench.gpu.measuring import Found


def steps(network: str, device: str, size: int, batch: int, repeats: int) -> list[Found]:
    """Time and peak memory of a step, relative to torch's BatchNorm, see :mod:`bench.step_cost`.

    Args:
        network: name of a timm model.
        device: device of torch.
        size: height and width of the images.
        batch: images of each domain.
        repeats: number of steps of each normalization.
    """
    import torch

    from bench.step_cost import CLASSES, contestants, measure

    rows: list[Found] = []
    for channels_last in (False, True):
        where = torch.device(device)
        images = torch.randn(2 * batch, 3, size, size, device=where)
        if channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        labels = torch.randint(CLASSES, (batch,), device=where)
        everyone = contestants(network, device, channels_last)
        measure(everyone, images, labels, repeats)
        reference = everyone[0]
        for one in everyone:
            ratios = [a / b for a, b in zip(one.seconds, reference.seconds, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            rows.append(
                {
                    "network": network,
                    "channels_last": channels_last,
                    "normalization": one.name,
                    "ms": round(1000 * statistics.median(one.seconds), 3),
                    "ratio": round(middle, 4),
                    "ratio_quartiles": [round(low, 4), round(high, 4)],
                    "memory_ratio": round(one.memory / reference.memory, 4),
                    "memory_bytes": one.memory,
                    "repeats": repeats,
                }
            )
        del everyone, reference, images
        if device == "cuda":
            torch.cuda.empty_cache()
    return rows
