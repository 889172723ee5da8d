"""The flags behind a number: which of them can change it, and the words in which a table tells them."""

from collections.abc import Mapping
from typing import Any

from calm.attribution import ATTRIBUTIONS, GRADIENT_MAPS, options_of
from calm.flags import GROUPS
from calm.networks.checkpoint import CHECKPOINT_KEYS

PLACES = {
    "save_root",
    "workers",
    "use_load_checkpoint",
    "data_root",
    "metadata_root",
    "mask_root",
    "override_cache",
    "compile",
    "pretrained_path",
    "resume",
}
"""Flags that say where and how fast, not what."""
_NAMES = {
    "experiment_name",
    "load_checkpoint",
    "is_train",
    "tag",
    "attribution_method",
    "dataset_name",
    "score_map_process",
    "score_map_method",
    "attributions",
    "seed",
}
"""Flags that a row, a column or a seed of a table stands for."""
_OF_MAPS = {flag.name for group in ("attribution maps", "evaluation") for flag in GROUPS[group]}
EVALUATION_PRECISION = "evaluation_precision"
_DEFAULTS = {flag.name: flag.default for flags in GROUPS.values() for flag in flags}
_DEFAULTS[EVALUATION_PRECISION] = _DEFAULTS["precision"]
_WORDS = {
    "prior_activation=relu": "ReLU prior",
    "detach_prior_sum=True": "detached sum",
    "em_target=ema": "lagging theta'",
    "cue_masks=exact": "exact cue masks",
    "protocol=released": "released protocol",
}


def settings_of(
    trained: Mapping[str, Any], flags: Mapping[str, Any], *, evaluation: str, method: str, attribution: str | None
) -> dict[str, Any]:
    """What can change this number: the flags of the training, then those of the evaluation and its map.

    Args:
        trained: flags of the training; empty where they are not known.
        flags: those of the evaluation, which hold the checkpoint's too.
        evaluation: accuracy, cue_location, pixel_perturb, wsol or attribution.
        method: the network's training method.
        attribution: our name of the map; None where the network alone is evaluated.
    """
    settings = {key: value for key, value in trained.items() if key not in _OF_MAPS}
    evaluated = set(CHECKPOINT_KEYS) if evaluation == "accuracy" else _OF_MAPS.union(CHECKPOINT_KEYS)
    settings |= {key: value for key, value in flags.items() if key in evaluated}
    if "precision" in flags:
        settings[EVALUATION_PRECISION] = flags["precision"]
    idle = PLACES | _NAMES | idle_flags(settings, evaluation, method, attribution)
    return {key: value for key, value in settings.items() if key not in idle}


def idle_flags(settings: Mapping[str, Any], evaluation: str, method: str, attribution: str | None) -> set[str]:
    """Flags that change nothing for this evaluation, method and map, and would part equal runs."""
    idle = set()
    if method == "CAM":
        idle |= {"prior_activation", "detach_prior_sum"}
    if method != "CALM_EM":
        idle.add("em_target")
    if method != "CALM_EM" or settings.get("em_target") == "current":
        idle.add("em_momentum")
    if attribution in ATTRIBUTIONS:
        idle |= set().union(*map(options_of, ATTRIBUTIONS)) - options_of(attribution)
        if attribution not in GRADIENT_MAPS:
            idle.add("smoothing_ksize")
    if evaluation != "wsol":
        idle.add("iou_thresholds")
    if evaluation != "cue_location" or settings.get("protocol") != "released":
        idle.add("threshold_type")
        if evaluation != "wsol":
            idle.add("cam_curve_interval")
    return idle


def in_words(settings: Mapping[str, Any]) -> str:
    """Those that are not the default, in the order of the flags: "ReLU prior, epochs=6"; the trunk in any case."""
    told = []
    for key, default in _DEFAULTS.items():
        if key in settings and (key == "architecture" or settings[key] != default):
            told.append(_WORDS.get(f"{key}={settings[key]}", f"{key}={settings[key]}"))
    return ", ".join(told)
