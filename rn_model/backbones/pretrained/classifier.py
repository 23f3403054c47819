"""Makes a whole classifier, and loads all of its weights, the last layer included."""

from torch import nn

from rn_model.backbones.config import BackboneConfig
from rn_model.backbones.extractor import Extractor, Size
from rn_model.backbones.timm_models import timm_classifier
from rn_model.backbones.torchvision_models import torchvision_classifier
from rn_model.backbones.transformers_models import transformers_classifier
from rn_model.backbones.user_networks import check_classifier, make_user_network
from rn_model.backbones.weights import load_classifier

_LIBRARIES = {
    "timm": timm_classifier,
    "torchvision": torchvision_classifier,
    "transformers": transformers_classifier,
}


def make_pretrained(
    config: BackboneConfig, num_classes: int, channels: int, size: Size | None = None
) -> nn.Module:
    """Make the classifier that a file of weights describes, without a bottleneck or a new last layer.

    Args:
        config: network and file of weights; ``bottleneck`` has no effect.
        num_classes: number of classes, K, that the file must have, too.
        channels: number of channels of the images, C.
        size: height and width of the images.

    Returns:
        A network from float images ``(N, C, H, W)`` to logits ``(N, K)``, in evaluation mode.

    Raises:
        ValueError: if there is no such network, its library is missing, there is no file, or network and
            weights do not fit each other or the images. The message is one line.
    """
    weights = config.weights_file
    if weights is None:
        raise ValueError(f"{config.name} has no file of weights")
    if config.library is None:
        made = Extractor(make_user_network(config, num_classes, channels)[0])
    else:
        make = _LIBRARIES[config.library]
        made = make(config.model, dict(config.arguments), num_classes, channels)
    part = made.pretrained or made.module
    load_classifier(part, weights, ignored=made.heads, other_head=False)
    check_classifier(made.module, config.name, num_classes, channels, size)
    return made.module.eval()
