"""The small plain network that digit tasks are usually compared on."""

from torch import Tensor, nn


class LeNet(nn.Module):
    """Two 5x5 convolutions with pooling and one hidden layer, each with BatchNorm.

    After LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998), section II, in
    the form in which MNIST and USPS are adapted to one another since arXiv:1702.05464.

    Args:
        num_classes: K.
        channels: of the input.
        size: side S of the input in pixels, a multiple of 4.
        width: channels of the first convolution; the second has twice as many.
        bottleneck: number of features D before the classifier.

    Shape:
        float ``(N, channels, S, S)`` with mean 0 and std 1 to logits ``(N, K)``.
    """

    def __init__(
        self,
        num_classes: int = 10,
        channels: int = 1,
        size: int = 16,
        width: int = 16,
        bottleneck: int = 128,
    ) -> None:
        super().__init__()
        if size < 4 or size % 4:
            raise ValueError(f"size must be a multiple of 4, not {size}")
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 5, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 5, padding=2, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * width * (size // 4) ** 2, bottleneck, bias=False),
            nn.BatchNorm1d(bottleneck),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(bottleneck, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)``."""
        return self.classifier(self.features(x))  # type: ignore[no-any-return]
