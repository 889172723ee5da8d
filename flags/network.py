"""Flags of the network."""

from calm.flags.flag import METHOD, network_flag
from calm.flags.values import boolean, share, spelling_of

METHODS = (
    *("CAM", "CALM_EM", "CALM_ML", "HaS", "CutMix", "ADL", "ACoL", "SPG", "LFI_CAM"),
    *("HaS_CALM_ML", "HaS_CALM_EM", "CutMix_CALM_ML", "CutMix_CALM_EM", "InCA_like"),
)
TRUNKS = ("resnet50", "vgg16", "inception_v3", "resnet18", "efficientnet_lite0", "timm:NAME", "torchvision:NAME")
"""What --help lists of the open tables, so that it need not load them; a test holds the lists to the tables."""

NETWORK = (
    network_flag(
        "architecture", str, "resnet50", ", ".join(TRUNKS), elsewhere=("model", "backbone", "network"), per_trunk=True
    ),
    network_flag(
        "attribution_method",
        spelling_of(METHODS),
        "CAM",
        f"training method: {', '.join(METHODS)}",
        elsewhere=("method",),
        label=True,
    ),
    network_flag("use_bn", boolean, False, "batch norm in vgg16 and in inception_v3's new layers", per_trunk=True),
    network_flag(
        "large_feature_map", boolean, False, "latent grid at stride 8 (28x28 for 224) instead of 16", per_trunk=True
    ),
    network_flag(
        "prior_activation",
        str,
        "softplus",
        "of the prior p(z|x): softplus (paper) or relu (released)",
        ("softplus", "relu"),
        owners=METHOD,
        words={"relu": "ReLU prior"},
    ),
    network_flag(
        "prior_temperature",
        float,
        1.0,
        "T of the prior softplus(h/T): the lower, the more like the ReLU prior (ours)",
        owners=METHOD,
    ),
    network_flag(
        "detach_prior_sum",
        boolean,
        False,
        "no gradient through the prior's sum (released)",
        owners=METHOD,
        words={"True": "detached sum"},
    ),
    network_flag(
        "inception_tap",
        str,
        "mixed_6e",
        "last trunk layer of inception_v3 (mixed_6d as released)",
        ("mixed_6d", "mixed_6e"),
        per_trunk=True,
    ),
    network_flag(
        "head_dropout",
        share,
        0.0,
        "inception_v3: dropout before its last three convolutions (WSOL benchmark: 0.5 in CAM, HaS, CutMix, SPG)",
        per_trunk=True,
    ),
)
