"""The network that is adapted: features, a bottleneck and a linear classifier."""

from torch import Tensor, nn


class AdaptationNetwork(nn.Module):
    """A classifier of images on top of a feature extractor.

    The bottleneck follows CDAN (arXiv:1705.10667) and its successors. It has a BatchNorm, so that the
    statistics of the domains are also adapted directly before the classifier.

    Args:
        features: network from images ``(N, C, H, W)`` to ``(N, F)``, or to ``(N, F, h, w)``, which is
            averaged over h and w.
        num_features: number of features F.
        num_classes: number of classes K.
        bottleneck: number of features D before the classifier; None for no bottleneck, and D = F.
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
        # Defined last: `rn_model.backbones.classifier` finds the classifier by that.
        self.classifier = nn.Linear(bottleneck or num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)``."""
        features = self.features(x)
        if features.dim() == 4:
            features = features.mean((2, 3))
        return self.classifier(self.bottleneck(features))  # type: ignore[no-any-return]

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters of the features."""
        return list(self.features.parameters())

    def head_parameters(self) -> list[nn.Parameter]:
        """The parameters of the bottleneck and the classifier."""
        return [*self.bottleneck.parameters(), *self.classifier.parameters()]


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split the parameters of a model into those of the backbone and all others, each listed once.

    The backbone is the features of an :class:`AdaptationNetwork`, which may be wrapped in other modules.
    In a model without one, all parameters belong to the head.

    Returns:
        The parameters of the backbone, and the other parameters.
    """
    backbone = {
        parameter: None
        for module in model.modules()
        if isinstance(module, AdaptationNetwork)
        for parameter in module.backbone_parameters()
    }
    return list(backbone), [p for p in model.parameters() if p not in backbone]
