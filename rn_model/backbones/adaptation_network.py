"""Features, a bottleneck and a linear classifier."""

from torch import Tensor, nn


class AdaptationNetwork(nn.Module):
    """A classifier of images on top of any features.

    The bottleneck is the one of CDAN (arXiv:1705.10667) and its successors, with BatchNorm, so that the
    domains' statistics are dealt with right before the classifier too.

    Args:
        features: from images ``(N, C, H, W)`` to ``(N, F)``, or ``(N, F, h, w)``, which are averaged.
        num_features: F.
        num_classes: K.
        bottleneck: number of features D before the classifier; None for F and no layers in between.
    """

    def __init__(
        self, features: nn.Module, num_features: int, num_classes: int, bottleneck: int | None = 256
    ) -> None:
        super().__init__()
        self.features = features
        self.bottleneck: nn.Module = nn.Identity()
        if bottleneck is not None:
            self.bottleneck = nn.Sequential(
                nn.Linear(num_features, bottleneck, bias=False),
                nn.BatchNorm1d(bottleneck),
                nn.ReLU(),
            )
        # The last linear layer that is defined is the classifier: see `rn_model.backbones.classifier`.
        self.classifier = nn.Linear(bottleneck or num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)``."""
        features = self.features(x)
        if features.dim() == 4:
            features = features.mean((2, 3))
        return self.classifier(self.bottleneck(features))  # type: ignore[no-any-return]

    def backbone_parameters(self) -> list[nn.Parameter]:
        """Those of the features."""
        return list(self.features.parameters())

    def head_parameters(self) -> list[nn.Parameter]:
        """Those of the bottleneck and the classifier."""
        return [*self.bottleneck.parameters(), *self.classifier.parameters()]


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters of the backbone and all others, each once.

    The backbone is what an :class:`AdaptationNetwork` was put upon, which may itself be wrapped. In a
    model without one, everything belongs to the head.
    """
    backbone = {
        parameter: None
        for module in model.modules()
        if isinstance(module, AdaptationNetwork)
        for parameter in module.backbone_parameters()
    }
    return list(backbone), [p for p in model.parameters() if p not in backbone]
