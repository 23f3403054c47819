"""LeNet, the small network with which methods are usually compared on digits."""

from torch import Tensor, nn


class LeNet(nn.Module):
    """A classifier with two 5x5 convolutions, pooling and one hidden layer, each with BatchNorm.

    Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998), section II,
    in the form that adaptation between MNIST and USPS uses since arXiv:1702.05464.

    Args:
        num_classes: number of classes K.
        channels: number of channels of the images.
        size: height and width S of the images in pixels, a multiple of 4.
        width: channels of the first convolution; the second has twice as many.
        bottleneck: number of features D before the classifier.

    Shape:
        Float images ``(N, channels, S, S)`` with mean 0 and standard deviation 1 to logits ``(N, K)``.

    Raises:
        ValueError: if ``size`` is not a multiple of 4.
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
