"""Makes torchvision importable where it has no binary for the installed torch; import this first."""

import torch


def _declare_operators() -> torch.library.Library:
    """Declare the operators that torchvision describes at import; no test runs them."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(  # type: ignore[no-untyped-call]
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    return library


OPERATORS = _declare_operators()
