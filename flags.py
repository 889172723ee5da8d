"""Every flag of every script: name, type, default and meaning, in one table."""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

SCRIPTS = ("main", "eval_cue_location", "eval_pixel_perturb", "eval_wsol", "eval_attribution")
EVALUATIONS = SCRIPTS[1:]


def boolean(text: str) -> bool:
    """True/False, 1/0, yes/no in any case."""
    value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower())
    if value is None:
        raise argparse.ArgumentTypeError(f"'{text}' is not one of True, False, 1, 0, yes, no")
    return value


def integer(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None


def number(text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None


def positive_int(text: str) -> int:
    """An integer of at least 1."""
    value = integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def natural(text: str) -> int:
    """An integer of at least 0."""
    value = integer(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is below 0")
    return value


def non_negative(text: str) -> float:
    """A finite number of at least 0."""
    value = number(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of at least 0")
    return value


def interval(text: str) -> float:
    """A threshold step in (0, 1]."""
    value = number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in (0, 1]")
    return value


def optional_natural(text: str) -> int | None:
    """An integer of at least 0, or 'none'."""
    return None if text.lower() in ("none", "null") else natural(text)


class Flag(NamedTuple):
    """One flag; ``scripts`` are those that take it."""

    name: str
    type: Callable[[str], Any]
    default: Any
    help: str
    choices: tuple[str, ...] | None = None
    aliases: tuple[str, ...] = ()
    many: bool = False
    scripts: tuple[str, ...] = SCRIPTS


def method_name(text: str) -> str:
    """CALM-EM -> CALM_EM."""
    return text.upper().replace("-", "_")


_CHECKPOINT = "run folder, checkpoint file or zoo:NAME; looked for as given, then under --save_root"
_OF_ONE_CHECKPOINT = tuple(script for script in SCRIPTS if script != "eval_attribution")

RUN = (
    Flag("experiment_name", str, "result", "name of the run folder under --save_root"),
    Flag("override_cache", boolean, False, "replace an earlier run of the same name"),
    Flag("save_root", str, "save", "folder of the run folders"),
    Flag("workers", natural, 4, "processes that load images (and, in eval_wsol.py, score maps)"),
    Flag("use_load_checkpoint", boolean, False, "as released; --load_checkpoint alone is enough"),
    Flag("load_checkpoint", str, None, _CHECKPOINT, scripts=_OF_ONE_CHECKPOINT),
    Flag(
        "load_checkpoint", str, None, f"{_CHECKPOINT}; several with commas between them", scripts=("eval_attribution",)
    ),
    Flag("is_different_checkpoint", boolean, False, "start from another task's checkpoint: load all but conv_last"),
    Flag(
        "seed",
        optional_natural,
        None,
        "fixes everything random; without it main.py chooses a seed and records it, an evaluation takes 0",
    ),
    Flag("precision", str, "fp32", "arithmetic of the trunk; head and loss stay in float32", ("fp32", "bf16")),
    Flag("compile", boolean, False, "torch.compile the network"),
)
DATA = (
    Flag(
        "dataset_name",
        str,
        "CUB",
        "CUB, ILSVRC (or ImageNet), OpenImages, TinyImageNet, SynthBirds",
        ("CUB", "ILSVRC", "ImageNet", "OpenImages", "TinyImageNet", "SynthBirds"),
        ("dataset",),
    ),
    Flag("data_root", str, "dataset/", "folder that holds the data sets"),
    Flag("metadata_root", str, "metadata/", "folder that holds the metadata text files"),
    Flag("mask_root", str, "dataset/", "folder that holds OpenImages/ with the object masks"),
    Flag("proxy_training_set", boolean, False, "train on image_ids_proxy.txt"),
    Flag("resize_size", positive_int, 256, "side of training images before the random crop; follows --crop_size"),
    Flag("crop_size", positive_int, 224, "side of the network's input"),
    Flag("batch_size", positive_int, 64, "images per step, over all processes together"),
)
MODEL = (
    Flag("architecture", str, "resnet50", "resnet50, vgg16, inception_v3, resnet18, efficientnet_lite0, timm:NAME"),
    Flag("attribution_method", method_name, "CAM", "training method", ("CAM", "CALM_EM", "CALM_ML")),
    Flag("use_bn", boolean, False, "batch norm in vgg16 and in inception_v3's new layers"),
    Flag("large_feature_map", boolean, False, "latent grid at stride 8 (28x28 for 224) instead of 16"),
    Flag(
        "prior_activation",
        str,
        "softplus",
        "of the prior p(z|x): softplus (paper) or relu (released)",
        ("softplus", "relu"),
    ),
    Flag("detach_prior_sum", boolean, False, "no gradient through the prior's sum (released)"),
    Flag(
        "inception_tap",
        str,
        "mixed_6e",
        "last trunk layer of inception_v3 (mixed_6d as released)",
        ("mixed_6d", "mixed_6e"),
    ),
)
TRAINING = (
    Flag("is_train", boolean, True, "False only measures the accuracy of --load_checkpoint"),
    Flag("epochs", positive_int, 40, "passes over the training set"),
    Flag("pretrained", boolean, True, "start from ImageNet weights"),
    Flag("pretrained_path", str, None, "file with the trunk's ImageNet weights, instead of a download"),
    Flag("lr", non_negative, 0.01, "learning rate of the trunk"),
    Flag("lr_classifier_ratio", non_negative, 10, "factor on --lr for the new layers"),
    Flag("lr_decay_frequency", positive_int, 30, "learning rates x0.1 every so many epochs"),
    Flag("momentum", non_negative, 0.9, "of SGD with Nesterov momentum"),
    Flag("weight_decay", non_negative, 1e-4, "L2 penalty"),
    Flag(
        "param_groups",
        str,
        "module",
        "who learns at the higher rate: by module, or by the released substrings",
        ("module", "released"),
    ),
    Flag(
        "em_target",
        str,
        "current",
        "theta' of CALM_EM: the current parameters (paper) or their moving average",
        ("current", "ema"),
    ),
    Flag("em_momentum", non_negative, 0.999, "of the moving average for --em_target=ema"),
    Flag("resume", boolean, False, "continue the run of this experiment name", scripts=("main",)),
)
_MAP_NAMES = (
    "joint, conditional, posterior, saliency, subset, subset-mean, posterior-subset, posterior-subset-mean, "
    "counterfactual, gradient, integrated_gradients, smoothgrad, smoothgrad-squared, vargrad, cam, cam-saliency, "
    "cam-subset, gradcam, gradcam++, layercam, smoothgradcam++, scorecam, sscam, ablationcam"
)
_RELEASED_MAP_NAMES = (
    "jointll, jointll-superclass, jointll-superclass-mean, gtcond, gtcond-superclass, gtcond-superclass-mean, vanilla, "
    "vanilla-saliency, vanilla-superclass, input_grad, backprop, integrated_grad, smooth_grad, var_grad"
)
MAPS = (
    Flag(
        "score_map_method",
        str,
        "activation_map",
        "activation_map, or backprop for --score_map_process=vanilla",
        ("activation_map", "backprop"),
    ),
    Flag(
        "score_map_process",
        str,
        None,
        f"the map to use: {_MAP_NAMES}; or by a released name: {_RELEASED_MAP_NAMES} "
        "(default: cam for a CAM network, joint for a CALM network)",
    ),
    Flag("norm_type", str, "minmax", "how a resized map becomes a score map", ("max", "minmax", "clipping")),
    Flag("smoothing_ksize", positive_int, 1, "Gaussian kernel for gradient maps, odd; 1 is none"),
    Flag("smooth_grad_nr_iter", positive_int, 50, "noisy copies of SmoothGrad and VarGrad"),
    Flag("smooth_grad_sigma", non_negative, 4.0, "their noise is (max - min) of the image over this"),
    Flag("integrated_grad_nr_iter", positive_int, 50, "steps of integrated gradients"),
    Flag(
        "ig_variant",
        str,
        "released",
        "integrated gradients: released, or standard (times the input)",
        ("released", "standard"),
        scripts=EVALUATIONS,
    ),
    Flag("threshold_type", str, "even", "bins of cue localisation's released protocol", ("even", "log")),
    Flag("cam_curve_interval", interval, 0.001, "step between thresholds"),
    Flag("iou_thresholds", integer, [30, 50, 70], "IoU levels of box localisation, in percent", many=True),
)
EVALUATION = (
    Flag(
        "protocol",
        str,
        "paper",
        "as the paper says, or as the released code does, where they differ",
        ("paper", "released"),
        scripts=EVALUATIONS,
    ),
    Flag("tag", str, None, "suffix of the results file", scripts=EVALUATIONS),
    Flag(
        "class_pairs",
        str,
        None,
        "only these class pairs, ids from 1, such as 9-27,9-107",
        scripts=("eval_cue_location",),
    ),
    Flag(
        "mask_to_segmentation",
        boolean,
        True,
        "keep the cue mask inside the bird's segmentation",
        scripts=("eval_cue_location",),
    ),
    Flag(
        "cue_masks",
        str,
        "keypoints",
        "cue masks from keypoints, or exact (SynthBirds' part masks)",
        ("keypoints", "exact"),
        scripts=("eval_cue_location",),
    ),
    Flag(
        "erase",
        str,
        None,
        "what replaces erased pixels (default: blur, with --protocol=released zero)",
        ("blur", "zero", "mean", "noise"),
        scripts=("eval_pixel_perturb",),
    ),
    Flag(
        "resize_mode",
        str,
        "bilinear",
        "how maps are enlarged (bicubic as in wsolevaluation)",
        ("bilinear", "bicubic"),
        scripts=("eval_wsol",),
    ),
    Flag(
        "scoremap_root",
        str,
        None,
        "evaluate the .npy score maps of this folder instead of a network's",
        scripts=("eval_wsol",),
    ),
    Flag(
        "attributions",
        str,
        None,
        "maps to compare, such as gradcam,joint (default: that of --score_map_process)",
        scripts=("eval_attribution",),
    ),
    Flag(
        "explain",
        str,
        "target",
        "the class that is explained: the true or the predicted one",
        ("target", "predicted"),
        scripts=("eval_attribution",),
    ),
    Flag(
        "regions",
        str,
        None,
        "where the object is: boxes or masks (default: boxes where the data set has them)",
        ("boxes", "masks"),
        scripts=("eval_attribution",),
    ),
    Flag("auc_steps", positive_int, 20, "steps of the insertion and deletion curves", scripts=("eval_attribution",)),
)
GROUPS = {
    "run": RUN,
    "data": DATA,
    "network": MODEL,
    "training": TRAINING,
    "attribution maps": MAPS,
    "evaluation": EVALUATION,
}
_FROM_CHECKPOINT = "What the checkpoint records is the default here, in place of the values in brackets."
_IGNORED = "No effect here: accepted so that one list of flags serves every script, as in the released code."
NOTES = {
    "data": dict.fromkeys(EVALUATIONS, _FROM_CHECKPOINT),
    "network": dict.fromkeys(EVALUATIONS, _FROM_CHECKPOINT),
    "training": dict.fromkeys(EVALUATIONS, _IGNORED),
    "attribution maps": {"main": _IGNORED},
}
"""Group -> script -> what its --help says of all flags of the group."""
