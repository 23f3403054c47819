"""Small versions of common network families, and one network with every kind of branch."""

from collections.abc import Callable
from typing import Any

import tests.vision  # noqa: F401  so that torchvision can be imported

# isort: split
import torch
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn
from torchvision.models.densenet import DenseNet  # type: ignore[import-untyped]
from torchvision.models.mobilenetv2 import MobileNetV2  # type: ignore[import-untyped]
from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3  # type: ignore[import-untyped]
from torchvision.models.regnet import BlockParams, RegNet  # type: ignore[import-untyped]

CLASSES = 3


class PreActivationBlock(nn.Module):
    """Norm before convolution; the first norm feeds a convolution directly."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.norm2(self.conv1(self.norm1(x))).relu())
        return x + y


class PreActivationNet(nn.Module):
    """A pre-activation ResNet of two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(PreActivationBlock(8), PreActivationBlock(8))
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.blocks(self.stem(x))).relu().mean((2, 3)))
        return logits


class Branches(nn.Module):
    """Concatenation, residual sum, groups, transposed and shared convolutions, volumes and tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(3, 4, 3, padding=1, stride=2)
        self.right = nn.Conv2d(3, 4, 2, stride=2, bias=False)
        self.joined = nn.BatchNorm2d(8)
        self.wide = nn.Conv2d(8, 12, 3, groups=4, padding=1)
        self.wide_norm = nn.BatchNorm2d(12)
        self.up = nn.ConvTranspose2d(12, 8, 2, stride=2, groups=2)
        self.up_norm = nn.BatchNorm2d(8)
        self.shared = nn.Conv2d(8, 8, 1)
        self.first_norm, self.second_norm = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.sum_norm = nn.BatchNorm2d(8)
        self.narrow = nn.Conv2d(8, 6, 4, stride=4, groups=2)
        self.volume = nn.Conv3d(1, 2, 3, padding=1)
        self.volume_norm = nn.BatchNorm3d(2)
        self.token = nn.Linear(12, 5)
        self.token_norm = nn.BatchNorm1d(5)
        self.sequence = nn.Conv1d(5, 4, 3)
        self.sequence_norm, self.again = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
        self.head_norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, CLASSES)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(3)  # so that what an image shows arrives at the last norm

    def forward(self, x: Tensor) -> Tensor:
        x = self.joined(torch.cat([self.left(x), self.right(x)], dim=1)).relu()
        x = self.up_norm(self.up(self.wide_norm(self.wide(x)).relu())).relu()
        x = self.first_norm(self.shared(x)).relu() + self.second_norm(self.shared(x.relu()))
        x = self.narrow(self.sum_norm(x)).relu()
        x = self.volume_norm(self.volume(x.unsqueeze(1))).relu().flatten(1, 2).flatten(2)
        x = self.token_norm(self.token(x.transpose(1, 2)).transpose(1, 2)).relu()
        x = self.again(self.sequence_norm(self.sequence(x)).relu()).mean(2)
        logits: Tensor = self.head(self.head_norm(x))
        return logits


def densenet() -> nn.Module:
    network: nn.Module = DenseNet(
        growth_rate=4, block_config=(2, 2), num_init_features=8, bn_size=2, num_classes=CLASSES
    )
    return network


def mobilenet_v2() -> nn.Module:
    network: nn.Module = MobileNetV2(
        CLASSES, 0.25, inverted_residual_setting=[[1, 16, 1, 1], [2, 16, 2, 2]]
    )
    return network


def mobilenet_v3() -> nn.Module:
    blocks = [
        InvertedResidualConfig(8, 3, 8, 8, False, "RE", 1, 1, 1.0),
        InvertedResidualConfig(8, 3, 16, 8, True, "HS", 2, 1, 1.0),
    ]
    network: nn.Module = MobileNetV3(blocks, 16, num_classes=CLASSES)
    return network


def regnet() -> nn.Module:
    blocks = BlockParams.from_init_params(
        depth=3, w_0=8, w_a=8.0, w_m=2.0, group_width=4, se_ratio=0.25
    )
    network: nn.Module = RegNet(blocks, num_classes=CLASSES, stem_width=8)
    return network


def efficientnet() -> nn.Module:
    # The blocks of timm's "test_efficientnet" in two widths only: each width is traced by itself.
    blocks = [
        ["cn_r1_k3_s1_e1_c16_skip"],
        ["er_r1_k3_s2_e2_c16"],
        ["er_r1_k3_s2_e2_c32"],
        ["ir_r1_k3_s2_e1_c32_se0.25"],
        ["ir_r1_k3_s2_e1_c32_se0.25"],
    ]
    arguments = decode_arch_def(blocks)  # type: ignore[no-untyped-call]
    return EfficientNet(arguments, CLASSES, num_features=32, stem_size=16, act_layer=nn.SiLU)


def resnet(block: Any, base_width: int = 64) -> nn.Module:
    # Few widths, because each is traced by itself; the stem has 64 channels.
    widths = (16, 16, 16, 16)
    return ResNet(block, (1,) * 4, CLASSES, channels=widths, stem_width=8, base_width=base_width)


# Each with the norms that cannot be folded into an adjacent layer.
FAMILIES: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {
    "resnet18": (lambda: resnet(BasicBlock), set()),
    "resnet50": (lambda: resnet(Bottleneck), set()),
    "wideresnet": (lambda: resnet(Bottleneck, 128), set()),
    "densenet": (
        densenet,
        {
            "features.denseblock1.denselayer1.norm1",
            "features.denseblock1.denselayer2.norm1",
            "features.transition1.norm",
            "features.denseblock2.denselayer1.norm1",
            "features.denseblock2.denselayer2.norm1",
            "features.norm5",
        },
    ),
    "mobilenet_v2": (mobilenet_v2, set()),
    "mobilenet_v3": (mobilenet_v3, set()),
    "efficientnet": (efficientnet, set()),
    "regnet": (regnet, set()),
    "preactivation": (PreActivationNet, {"blocks.0.norm1", "blocks.1.norm1", "norm"}),
    "branches": (Branches, {"joined", "again"}),
}
