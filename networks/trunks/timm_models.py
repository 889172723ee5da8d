"""Networks of timm by name: ``NAME``, or ``NAME,option=value,...`` with options of timm's own constructor behind it."""

import ast
import logging
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor

from calm.errors import UserError, require

MISFITS = (TypeError, AssertionError, ValueError, RuntimeError, AttributeError, KeyError, IndexError)
"""What timm's constructors and forward passes raise for an option or an image size that they do not take."""
OURS = ("pretrained", "num_classes", "features_only", "out_indices", "img_size", "global_pool", "in_chans")
"""Options that are not free, since the trunk sets them."""


class TimmName(NamedTuple):
    """A network of timm, and options for its constructor."""

    name: str
    """A name timm knows, tag allowed ("convnext_atto.d2_in1k")."""
    options: dict[str, Any]
    own_stride: bool = False
    """Whether its convolutions keep the stride that they have in timm's classifier, 32 as a rule."""


def timm_name(text: str) -> TimmName:
    """ "vit_tiny_patch16_224,patch_size=8,depth=6" -> name and options; values are read as Python's literals, or text.

    ``output_stride=32`` asks for the network's own stride, whether or not its constructor knows the option.

    Raises:
        UserError: timm has no such network, or what stands behind the name is no option.
    """
    name, *words = re.split(r",(?![^(]*\))", text)
    options = {}
    for word in words:
        option, equals, value = word.partition("=")
        if not equals or not option.isidentifier() or option in OURS:
            raise UserError(f"`architecture`=timm:{text}: {word!r} should be an option of timm, as in patch_size=8")
        if option == "output_stride" and value != "32":
            raise UserError(
                f"`architecture`=timm:{text}: without the option the stride is 16, with `large_feature_map` 8; "
                "output_stride=32 keeps the network's own"
            )
        try:
            options[option] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[option] = value
    timm = timm_itself()
    if not timm.is_model(name):
        close = timm.list_models(f"*{name.split('.')[0]}*")[:5]
        hint = f", for example {', '.join(close)}" if close else ""
        raise UserError(f"`architecture`=timm:{name}: timm has no such model; see timm.list_models(){hint}")
    own_stride = options.get("output_stride") == 32
    return TimmName(name, {key: value for key, value in options.items() if key != "output_stride"}, own_stride)


def timm_itself() -> Any:
    """The package, imported when a trunk needs it."""
    require("timm", extra="timm")
    import timm  # slow to import, and needed for these trunks alone

    return timm


def create(made: TimmName, *, pretrained: bool = False, **options: Any) -> Any:
    """The network as timm makes it; options behind the name take precedence over ``options``."""
    return timm_itself().create_model(made.name, pretrained=pretrained, **{**options, **made.options})


class Way(NamedTuple):
    """A way to features of a network of timm."""

    options: dict[str, Any]
    """Of timm's constructor."""
    features: Callable[[Any, Tensor], Any]
    """(network, images) -> what it gives: a map or tokens."""
    stride: int | None = None
    """Of the cells, where only one will do."""
    is_finer: bool = False
    """Whether the cells should be finer than those of the network's last features."""


def own_features(model: Any, images: Tensor) -> Any:
    """What the network's classifier reads."""
    return model.forward_features(images)


def extracted(model: Any, images: Tensor) -> Any:
    """The maps of timm's feature extractor."""
    return model(images)


def last_stage(model: Any, images: Tensor) -> Any:
    """[B,C,h,w] after the network's last stage, for networks whose classifier reads less than a map."""
    return model.forward_intermediates(images, indices=[-1], intermediates_only=True)


def last_stage_but_one(model: Any, images: Tensor) -> Any:
    """[B,C,h,w] before the network's last stage."""
    return model.forward_intermediates(images, indices=[-2], intermediates_only=True, stop_early=True)


def ways(made: TimmName, *, large_feature_map: bool, image_size: int | None) -> Iterator[Way]:
    """Ways to features, in the order in which they should be tried; a network refuses options that it does not know.

    Convolutional networks give their last map at stride 16, or 8 with the large feature map. Others keep the stride
    that they have; with the large feature map the last stage but one is read, if its cells are finer.

    Args:
        made: name and options.
        large_feature_map: finer cells.
        image_size: side of the images in pixels, for position embeddings and windows; None for the network's own.
    """
    whole = {"num_classes": 0}
    if not made.own_stride:
        stride = 8 if large_feature_map else 16
        yield Way({**whole, "output_stride": stride}, own_features, stride)
        # MobileNetV3 takes a stride only as a feature extractor
        yield Way({"features_only": True, "out_indices": (-1,), "output_stride": stride}, extracted, stride)
    side = {} if image_size is None else {"img_size": image_size}
    for features in (last_stage_but_one,) if large_feature_map else (own_features, last_stage):
        for fit in (side | {"dynamic_img_size": True}, side | {"strict_img_size": False}, side, {}):
            yield Way(whole | fit, features, is_finer=large_feature_map)


@contextmanager
def quiet_hub() -> Generator[None, None, None]:
    """Silence of the hub's log, which reports each of its attempts where there is no network."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def pretrained_model(made: TimmName, **options: Any) -> Any:
    """The network with timm's own pretrained weights, from the cache of its hub or by download.

    Raises:
        UserError: they cannot be had.
    """
    with quiet_hub():
        try:
            return create(made, pretrained=True, **options)
        except Exception as error:  # what a hub raises differs between its versions
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"timm's pretrained weights of {made.name} cannot be had ({reason}): "
                "name a file of them with `pretrained_path`, or give `pretrained`=False"
            ) from error
