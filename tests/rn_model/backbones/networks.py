"""A small network of each kind from each library."""

from rn_model.backbones import BackboneConfig

TINY = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16], "embedding_size": 8}

CONFIGS = {
    "timm resnet18": BackboneConfig(name="timm:resnet18", arguments={"layers": [1, 1, 1, 1]}),
    "timm resnet50": BackboneConfig(name="timm:resnet50", arguments={"layers": [1, 1, 1, 1]}),
    "timm densenet": BackboneConfig(
        name="timm:densenet121", arguments={"growth_rate": 7, "block_config": [2, 2]}
    ),
    "timm mobilenetv2": BackboneConfig(name="timm:mobilenetv2_050"),
    "timm mobilenetv3": BackboneConfig(name="timm:mobilenetv3_small_050"),
    "timm efficientnet": BackboneConfig(name="timm:test_efficientnet"),
    "timm regnet": BackboneConfig(name="timm:regnetx_002", arguments={"bottle_ratio": 1.0}),
    "torchvision resnet18": BackboneConfig(
        name="torchvision:resnet18", arguments={"width_per_group": 64}
    ),
    "transformers resnet": BackboneConfig(
        name="transformers:ResNetConfig", arguments=TINY | {"layer_type": "basic"}
    ),
}
