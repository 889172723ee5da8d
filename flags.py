"""Every flag of every script, once: name, default, meaning, and what a resumed run and a table make of it."""

import argparse
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, NoReturn, Self

from munch import Munch

from calm.errors import UserError

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
    if not 0 <= value < 1e38:  # what single precision holds
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of at least 0")
    return value


def interval(text: str) -> float:
    """A threshold step in (0, 1]."""
    value = number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in (0, 1]")
    return value


def share(text: str) -> float:
    """A number in [0, 1]."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 1]")
    return value


def optional_seed(text: str) -> int | None:
    """An integer from 0 to 2^62, or 'none'."""
    value = None if text.lower() in ("none", "null") else natural(text)
    if value is not None and value > 2**62:
        raise argparse.ArgumentTypeError(f"{value} is above 2^62 = {2**62}")
    return value


class Owner(NamedTuple):
    """Who reads a flag, and under which values of other flags."""

    name: str
    """An evaluation ("wsol"); "method" or "map": those that take an option of the flag's name; or a kind of map
    ("class map")."""
    when: Mapping[str, str] = MappingProxyType({})


class Flag(NamedTuple):
    """One flag."""

    name: str
    type: Callable[[str], Any]
    default: Any
    help: str
    choices: tuple[str, ...] | None = None
    """None: any value, or those of an open table (methods, trunks, ...), whose owner checks them."""
    default_under: Mapping[tuple[str, str], Any] = MappingProxyType({})
    """(another flag, its value) -> the default there: {("protocol", "released"): 1}; the first that holds."""
    absent: Any = None
    """What a results file was made with that does not name the flag, where that is not the default."""
    aliases: tuple[str, ...] = ()
    many: bool = False
    scripts: tuple[str, ...] = SCRIPTS
    """Those that take it."""
    role: Literal["network", "data", "map", "place", "run"] = "run"
    """It shapes the network, chooses the data, makes or judges maps, says where or how fast, or how to train."""
    on_resume: Literal["fixed", "free", "call"] = "fixed"
    """On --resume: the run's own value holds; may be changed; or belongs to the call alone."""
    stated: bool = False
    """Whether a checkpoint states it, and an evaluation takes it over from there."""
    owners: tuple[Owner, ...] = ()
    """Who reads it; none: everyone."""
    label: bool = False
    """Whether a row, a column or a seed of a table stands for it."""
    per_trunk: bool = False
    """Whether the recipes of several trunks may differ in it and still stand for one method."""
    words: Mapping[str, str] = MappingProxyType({})
    """Value -> how a table says it."""


DATASETS = ("CUB", "ILSVRC", "OpenImages", "TinyImageNet", "SynthBirds", "folder")
METHODS = (
    *("CAM", "CALM_EM", "CALM_ML", "HaS", "CutMix", "ADL", "ACoL", "SPG", "LFI_CAM"),
    *("HaS_CALM_ML", "HaS_CALM_EM", "CutMix_CALM_ML", "CutMix_CALM_EM"),
)
TRUNKS = ("resnet50", "vgg16", "inception_v3", "resnet18", "efficientnet_lite0", "timm:NAME")
MAPS = (
    "joint, conditional, posterior, saliency, subset, subset-mean, posterior-subset, posterior-subset-mean, "
    "counterfactual, gradient, integrated_gradients, smoothgrad, smoothgrad-squared, vargrad, cam, cam-saliency, "
    "cam-subset, gradcam, gradcam++, layercam, smoothgradcam++, scorecam, sscam, ablationcam, finercam, taylorcam, "
    "guided_backprop, guided_gradcam, acol, lficam"
)
RELEASED_MAPS = (
    "jointll, jointll-superclass, jointll-superclass-mean, gtcond, gtcond-superclass, gtcond-superclass-mean, vanilla, "
    "vanilla-saliency, vanilla-superclass, input_grad, backprop, integrated_grad, smooth_grad, var_grad"
)
"""What --help lists of the open tables, so that it need not load them; a test holds the lists to the tables."""


def _spelling(listed: tuple[str, ...]) -> Callable[[str], str]:
    """A word as it is listed, whatever its case and hyphens; another word as it is."""

    def spelling(text: str) -> str:
        found = (name for name in listed if name.lower() == text.replace("-", "_").lower())
        return next(found, text)

    return spelling


_CHECKPOINT = "run folder, checkpoint file or zoo:NAME; looked for as given, then under --save_root"
_OTHERS = tuple(script for script in SCRIPTS if script != "eval_attribution")
_METHOD, _ATTRIBUTION, _WSOL = (Owner("method"),), (Owner("map"),), (Owner("wsol"),)
_RELEASED = ("protocol", "released")
_RELEASED_BINS = Owner("cue_location", {"protocol": "released"})


def _place(*columns: Any, **facts: Any) -> Flag:
    return Flag(*columns, **{"role": "place", **facts})


def _network(*columns: Any, **facts: Any) -> Flag:
    return Flag(*columns, **{"role": "network", "stated": True, **facts})


def _map(*columns: Any, **facts: Any) -> Flag:
    return Flag(*columns, **{"role": "map", **facts})


RUN = (
    _place("experiment_name", str, "result", "name of the run folder under --save_root", on_resume="call", label=True),
    _place("override_cache", boolean, False, "replace an earlier run of the same name", on_resume="call"),
    _place("save_root", str, "save", "folder of the run folders", on_resume="call"),
    _place("workers", natural, 4, "processes that load images (and, in eval_wsol.py, score maps)", on_resume="free"),
    _place("use_load_checkpoint", boolean, False, "as released; --load_checkpoint alone is enough"),
    Flag("load_checkpoint", str, None, _CHECKPOINT, scripts=_OTHERS, label=True),
    Flag(
        "load_checkpoint",
        str,
        None,
        f"{_CHECKPOINT}; several with commas between them",
        scripts=("eval_attribution",),
        label=True,
    ),
    Flag("is_different_checkpoint", boolean, False, "start from another task's checkpoint: load all but conv_last"),
    Flag(
        "seed",
        optional_seed,
        None,
        "fixes everything random; without it main.py chooses a seed and records it, an evaluation takes 0",
        label=True,
    ),
    Flag("precision", str, "fp32", "arithmetic of the trunk; head and loss stay in float32", ("fp32", "bf16")),
    _place("compile", boolean, False, "torch.compile the network", on_resume="free"),
)
DATA = (
    Flag(
        "dataset_name",
        str,
        "CUB",
        f"{', '.join(DATASETS)}; ImageNet is ILSVRC",
        aliases=("dataset",),
        role="data",
        stated=True,
        label=True,
    ),
    _place("data_root", str, "dataset/", "folder that holds the data sets", on_resume="free", stated=True),
    _place(
        "metadata_root", str, "metadata/", "folder that holds the metadata text files", on_resume="free", stated=True
    ),
    _place("mask_root", str, "dataset/", "folder that holds object masks", on_resume="free", stated=True),
    Flag("proxy_training_set", boolean, False, "train on image_ids_proxy.txt"),
    Flag(
        "resize_size",
        positive_int,
        256,
        "side of training images before the random crop; follows --crop_size",
        role="data",
        stated=True,
    ),
    Flag("crop_size", positive_int, 224, "side of the network's input", role="data", stated=True),
    Flag("batch_size", positive_int, 64, "images per step, over all processes together", per_trunk=True),
)
NETWORK = (
    _network("architecture", str, "resnet50", ", ".join(TRUNKS), per_trunk=True),
    _network("attribution_method", _spelling(METHODS), "CAM", f"training method: {', '.join(METHODS)}", label=True),
    _network("use_bn", boolean, False, "batch norm in vgg16 and in inception_v3's new layers", per_trunk=True),
    _network(
        "large_feature_map", boolean, False, "latent grid at stride 8 (28x28 for 224) instead of 16", per_trunk=True
    ),
    _network(
        "prior_activation",
        str,
        "softplus",
        "of the prior p(z|x): softplus (paper) or relu (released)",
        ("softplus", "relu"),
        owners=_METHOD,
        words={"relu": "ReLU prior"},
    ),
    _network(
        "detach_prior_sum",
        boolean,
        False,
        "no gradient through the prior's sum (released)",
        owners=_METHOD,
        words={"True": "detached sum"},
    ),
    _network(
        "inception_tap",
        str,
        "mixed_6e",
        "last trunk layer of inception_v3 (mixed_6d as released)",
        ("mixed_6d", "mixed_6e"),
        per_trunk=True,
    ),
)
TRAINING = (
    Flag("is_train", boolean, True, "False only measures the accuracy of --load_checkpoint", label=True),
    Flag("epochs", positive_int, 40, "passes over the training set", on_resume="free", per_trunk=True),
    Flag("pretrained", boolean, True, "start from ImageNet weights", on_resume="free"),
    _place(
        "pretrained_path",
        str,
        None,
        "file with the trunk's ImageNet weights, instead of a download",
        on_resume="free",
    ),
    Flag("lr", non_negative, 0.01, "learning rate of the trunk", per_trunk=True),
    Flag("lr_classifier_ratio", non_negative, 10, "factor on --lr for the new layers"),
    Flag("lr_decay_frequency", positive_int, 30, "learning rates x0.1 every so many epochs", per_trunk=True),
    Flag("momentum", non_negative, 0.9, "of SGD with Nesterov momentum"),
    Flag("weight_decay", non_negative, 1e-4, "L2 penalty", per_trunk=True),
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
        owners=_METHOD,
        words={"ema": "lagging theta'"},
    ),
    Flag(
        "em_momentum",
        non_negative,
        0.999,
        "of the moving average for --em_target=ema",
        owners=(Owner("method", {"em_target": "ema"}),),
    ),
    _place("resume", boolean, False, "continue the run of this experiment name", on_resume="call", scripts=("main",)),
)
METHOD_OPTIONS = (
    Flag(
        "has_grid_size",
        natural,
        4,
        "HaS: side of a hidden square in pixels; 0 hides nothing",
        owners=_METHOD,
        per_trunk=True,
    ),
    Flag("has_drop_rate", share, 0.5, "HaS: probability that a square is hidden", owners=_METHOD, per_trunk=True),
    Flag(
        "cutmix_beta",
        non_negative,
        1.0,
        "CutMix: of the share's distribution; 0 mixes nothing",
        owners=_METHOD,
        per_trunk=True,
    ),
    Flag("cutmix_prob", share, 1.0, "CutMix: probability that a batch is mixed", owners=_METHOD, per_trunk=True),
    Flag("adl_drop_rate", share, 0.75, "ADL: probability of the drop mask", owners=_METHOD, per_trunk=True),
    Flag("adl_threshold", share, 0.9, "ADL: share of the maximum that is dropped", owners=_METHOD, per_trunk=True),
    Flag(
        "acol_threshold",
        share,
        0.7,
        "ACoL: where the first map reaches it the second branch is blind",
        stated=True,
        role="network",
        owners=_METHOD,
        per_trunk=True,
    ),
    *(
        Flag(
            f"spg_threshold_{number}{word[0]}",
            share,
            default,
            f"SPG: {word} threshold of {attention}",
            owners=_METHOD,
            per_trunk=True,
        )
        for number, attention, highs in (
            (1, "the class map, for branch b2", (0.7, 0.01)),
            (2, "b2, for branch b1", (0.5, 0.05)),
            (3, "b1 and b2, for branch c", (0.7, 0.1)),
        )
        for word, default in zip(("high", "low"), highs)
    ),
    Flag(
        "gradient_loss",
        str,
        None,
        "any method: pull the image's gradient towards the guided one; cosine, mae or mse (default: no)",
        ("cosine", "mae", "mse"),
    ),
    Flag("gradient_loss_weight", non_negative, 0.0075, "of --gradient_loss"),
)
SCORE_MAPS = (
    _map(
        "score_map_method",
        str,
        "activation_map",
        "activation_map, or backprop for --score_map_process=vanilla",
        ("activation_map", "backprop"),
        label=True,
    ),
    _map(
        "score_map_process",
        str,
        None,
        f"the map to use: {MAPS}; or by a released name: {RELEASED_MAPS} "
        "(default: that of the training method, as cam for CAM and joint for CALM); also torchcam:NAME, captum:NAME",
        label=True,
    ),
    _map(
        "norm_type",
        str,
        "minmax",
        "how a resized map becomes a score map; --cue_score=text takes max or minmax, of class maps alone",
        ("max", "minmax", "clipping"),
        default_under={("cue_score", "text"): "max"},
        owners=(
            *_WSOL,
            Owner("attribution"),
            Owner("cue_location", {"cue_score": "released"}),
            Owner("class map", {"cue_score": "text"}),
        ),
    ),
    _map(
        "smoothing_ksize",
        positive_int,
        31,
        "Gaussian kernel for gradient maps, odd; 1 is none",
        default_under={_RELEASED: 1},
        owners=_ATTRIBUTION,
    ),
    _map("smooth_grad_nr_iter", positive_int, 50, "noisy copies of SmoothGrad and VarGrad", owners=_ATTRIBUTION),
    _map(
        "smooth_grad_sigma",
        non_negative,
        4.0,
        "their noise is (max - min) of the image over this",
        owners=_ATTRIBUTION,
    ),
    _map("integrated_grad_nr_iter", positive_int, 50, "steps of integrated gradients", owners=_ATTRIBUTION),
    _map(
        "ig_variant",
        str,
        "standard",
        "integrated gradients: standard (times the input), or released",
        ("released", "standard"),
        default_under={_RELEASED: "released"},
        scripts=EVALUATIONS,
        owners=_ATTRIBUTION,
    ),
    _map(
        "resize_alignment",
        str,
        "grid",
        "where the cells of a map lie in the image: a grid of tiles, or where the trunk's cells look",
        ("grid", "receptive_field"),
        words={"receptive_field": "cells where they look"},
        scripts=EVALUATIONS,
        owners=(Owner("probability"), Owner("class map")),
    ),
    _map("layers", str, None, "Grad-CAM, Grad-CAM++, Layer-CAM: modules, as in layer3,layer4", owners=_ATTRIBUTION),
    _map("finercam_base", str, "gradcam", "map of Finer-CAM", ("cam", "gradcam", "layercam"), owners=_ATTRIBUTION),
    _map("finercam_gamma", non_negative, 0.6, "strength of Finer-CAM's comparison", owners=_ATTRIBUTION),
    _map("finercam_classes", positive_int, 3, "similar classes Finer-CAM compares with", owners=_ATTRIBUTION),
    _map("ablation_divides", boolean, False, "Ablation-CAM: divide by the score, as its paper", owners=_ATTRIBUTION),
    _map(
        "taylor_variant",
        str,
        "pairs",
        "Taylor-CAM: pairs of places, or basic, with second derivatives summed over the first place",
        ("pairs", "basic"),
        owners=_ATTRIBUTION,
    ),
    _map(
        "threshold_type",
        str,
        "even",
        "bins of cue localisation's released protocol",
        ("even", "log"),
        owners=(_RELEASED_BINS,),
    ),
    _map("cam_curve_interval", interval, 0.001, "step between thresholds", owners=(*_WSOL, _RELEASED_BINS)),
    _map(
        "iou_thresholds",
        integer,
        [30, 50, 70],
        "IoU levels of box localisation, in percent",
        many=True,
        owners=_WSOL,
    ),
)
EVALUATION = (
    _map(
        "protocol",
        str,
        "paper",
        "as the paper says, or as the released code does, where they differ",
        ("paper", "released"),
        words={"released": "released protocol"},
        scripts=EVALUATIONS,
    ),
    _map("tag", str, None, "suffix of the results file", scripts=EVALUATIONS, label=True),
    _map(
        "class_pairs",
        str,
        None,
        "only these class pairs, ids from 1, such as 9-27,9-107",
        scripts=("eval_cue_location",),
    ),
    _map(
        "cue_score",
        str,
        "text",
        "cue localisation: |map A - map B| of score maps (paper), or the score map of |raw A - raw B| (released)",
        ("text", "released"),
        default_under={_RELEASED: "released"},
        absent="released",
        words={"released": "released cue score"},
        scripts=("eval_cue_location",),
        owners=(Owner("cue_location"),),
    ),
    _map(
        "part_points",
        str,
        "mean",
        "the head in cue masks from keypoints: the mean of its keypoints (released), or all of them",
        ("mean", "all"),
        words={"all": "all keypoints of the head"},
        scripts=("eval_cue_location",),
        owners=(Owner("cue_location", {"cue_masks": "keypoints"}),),
    ),
    _map(
        "mask_to_segmentation",
        boolean,
        True,
        "keep the cue mask inside the bird's segmentation",
        scripts=("eval_cue_location",),
    ),
    _map(
        "cue_masks",
        str,
        "keypoints",
        "cue masks from keypoints, or exact (SynthBirds' part masks)",
        ("keypoints", "exact"),
        words={"exact": "exact cue masks"},
        scripts=("eval_cue_location",),
    ),
    _map(
        "erase",
        str,
        "blur",
        "what replaces erased pixels",
        ("blur", "zero", "mean", "noise"),
        default_under={_RELEASED: "zero"},
        scripts=("eval_pixel_perturb",),
    ),
    _map(
        "resize_mode",
        str,
        "bilinear",
        "how maps are enlarged (bicubic as in wsolevaluation)",
        ("bilinear", "bicubic"),
        scripts=("eval_wsol",),
    ),
    _map(
        "scoremap_root",
        str,
        None,
        "evaluate the score maps of this folder, <image id>.npy or .npz in [0, 1], instead of a network's; "
        "eval_cue_location.py takes <class id from 1>/<image id>.npy",
        scripts=EVALUATIONS,
    ),
    _map("max_images", positive_int, None, "only so many images, drawn by the seed", scripts=EVALUATIONS),
    _map(
        "attributions",
        str,
        None,
        "maps to compare, such as gradcam,joint (default: that of --score_map_process)",
        label=True,
        scripts=("eval_attribution",),
    ),
    _map(
        "explain",
        str,
        "target",
        "the class that is explained: the true or the predicted one",
        ("target", "predicted"),
        scripts=("eval_attribution",),
    ),
    _map(
        "regions",
        str,
        None,
        "where the object is: boxes or masks (default: boxes where the data set has them)",
        ("boxes", "masks"),
        scripts=("eval_attribution",),
    ),
    _map("auc_steps", positive_int, 20, "steps of the insertion and deletion curves", scripts=("eval_attribution",)),
)
GROUPS: dict[str, tuple[Flag, ...]] = {
    "run": RUN,
    "data": DATA,
    "network": NETWORK,
    "training": TRAINING,
    "options of training methods": METHOD_OPTIONS,
    "attribution maps": SCORE_MAPS,
    "evaluation": EVALUATION,
}
_FROM_CHECKPOINT = "What the checkpoint records is the default here, in place of the values in brackets."
_IGNORED = "No effect here: accepted so that one list of flags serves every script, as in the released code."
NOTES = {
    "data": dict.fromkeys(EVALUATIONS, _FROM_CHECKPOINT),
    "network": dict.fromkeys(EVALUATIONS, _FROM_CHECKPOINT),
    "training": dict.fromkeys(EVALUATIONS, _IGNORED),
    "options of training methods": dict.fromkeys(EVALUATIONS, _FROM_CHECKPOINT),
    "attribution maps": {"main": _IGNORED},
}
"""Group -> script -> what its --help says of all flags of the group."""


def flags_of(script: str | None = None) -> dict[str, Flag]:
    """Name -> flag of one script ("main", "eval_wsol", ...), or of all: of one described twice, the last."""
    flags = (flag for group in GROUPS.values() for flag in group)
    return {flag.name: flag for flag in flags if script is None or script in flag.scripts}


def names(**facts: Any) -> tuple[str, ...]:
    """Names, in the order of the table, of the flags whose fields have these values: ``names(role="network")``."""
    return tuple(
        name
        for name, flag in flags_of().items()
        if all(getattr(flag, field) == value for field, value in facts.items())
    )


def default_of(name: str, flags: Mapping[str, Flag], given: Mapping[str, Any]) -> Any:
    """The value of a flag of ``flags``: as ``given``, or else its default there, which may follow other flags."""
    if name in given:
        return given[name]
    flag = flags[name]
    for (other, value), default in flag.default_under.items():
        if other in flags and default_of(other, flags, given) == value:
            return default
    return list(flag.default) if flag.many else flag.default


def value_of(flag: Flag, value: Any) -> Any:
    """A word, a list of words, or a value that was recorded, as the value of a flag."""
    if value is None:
        if flag.default is not None:
            raise argparse.ArgumentTypeError(f"'{flag.name}' has no value; give one or leave the key out")
        return None
    if isinstance(value, (list, tuple)) != flag.many and not (flag.many and isinstance(value, (str, int, float))):
        raise argparse.ArgumentTypeError(f"takes {'a list of values' if flag.many else 'one value'}, not {value!r}")
    words = value if isinstance(value, (list, tuple)) else [value]
    if flag.many and not words:
        raise argparse.ArgumentTypeError("needs at least one value")
    found = []
    for word in words:
        if not isinstance(word, (str, int, float)):
            raise argparse.ArgumentTypeError(f"takes a word or a number, not {word!r}")
        found.append(flag.type(str(word)))
        if flag.choices and found[-1] not in flag.choices:
            raise argparse.ArgumentTypeError(f"invalid choice: {word!r} (choose from {', '.join(flag.choices)})")
    return found if flag.many else found[0]


def checked(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Recorded values, each as its flag takes it; names that are no flags are left out.

    Raises:
        UserError: a value that its flag does not take, naming ``source``.
    """
    known = {name: flag for name, flag in flags_of().items() if name in values}
    found = {}
    for name, flag in known.items():
        try:
            found[name] = value_of(flag, values[name])
        except (argparse.ArgumentTypeError, ValueError, TypeError) as error:
            raise UserError(f"{source}: its `{name}`: {error}") from error
    return found


class Config(Munch):
    """Flag -> value, also as attributes; frozen. ``given`` names the flags that the command line or a file set."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        dict.__init__(self, values)

    def replaced(self, **values: Any) -> Self:
        """A copy with other values."""
        return type(self)({**self, **values})

    def copy(self) -> Self:
        """The same values again."""
        return self.replaced()

    def __reduce__(self) -> tuple:
        return type(self), (dict(self),)

    def _refuse(self, *words: Any, **values: Any) -> NoReturn:
        raise TypeError("a config is frozen: replaced(name=value) gives another one")

    __setattr__ = __setitem__ = __delattr__ = __delitem__ = _refuse  # type: ignore[assignment]  # one refusal for all
    update = pop = popitem = clear = setdefault = _refuse  # type: ignore[assignment]


def recorded(args: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into config.yaml, checkpoints and results: every flag, as plain values."""
    return {name: value for name, value in sorted(args.items()) if name != "given"}
