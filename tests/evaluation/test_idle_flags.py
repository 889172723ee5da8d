"""A flag that was given and changes nothing is said to change nothing."""

import pytest

from calm import config
from calm.evaluation.idle_flags import warn_of_idle_flags

MAPS = {"layers": "layer3", "smoothing_ksize": 3, "ig_variant": "released", "cell_offset": 2}


@pytest.mark.parametrize(
    ("evaluation", "attributions", "given", "idle"),
    [
        ("wsol", ["joint"], {**MAPS, "norm_type": "max", "resize_mode": "bicubic"}, MAPS.keys() - {"cell_offset"}),
        ("wsol", ["gradcam"], MAPS, {"smoothing_ksize", "ig_variant"}),
        ("wsol", ["gradient"], MAPS, {"layers", "ig_variant", "cell_offset"}),
        ("wsol", ["finercam"], {"layers": "layer3", "finercam_gamma": 0.1}, {"layers"}),
        (
            "wsol",
            [None],
            {"scoremap_root": "maps", "norm_type": "max", "score_map_process": "cam", "iou_thresholds": 40},
            {"norm_type", "score_map_process"},
        ),
        ("attribution", ["joint", "gradcam"], {**MAPS, "norm_type": "max"}, {"smoothing_ksize", "ig_variant"}),
        ("intervention", ["joint", "gradient"], MAPS, {"layers", "ig_variant"}),
        ("intervention", ["cam"], {"norm_type": "max", "cam_curve_interval": 0.1}, {"norm_type", "cam_curve_interval"}),
        ("wsol", ["cam"], {"norm_type": "max", "cam_curve_interval": 0.1, "threshold_type": "log"}, {"threshold_type"}),
        ("attribution", ["joint"], {"attributions": "joint", "score_map_process": "cam"}, {"score_map_process"}),
        (
            "pixel_perturb",
            ["joint"],
            {"norm_type": "clipping", "erase": "mean", "iou_thresholds": 40},
            {"norm_type", "iou_thresholds"},
        ),
        ("pixel_perturb", ["joint"], {"norm_type": "minmax"}, set()),  # as without the flag
        (
            "cue_location",
            ["joint"],
            {"norm_type": "clipping", "threshold_type": "log"},
            {"norm_type", "threshold_type"},
        ),
        ("cue_location", ["cam"], {"norm_type": "minmax"}, set()),
        ("cue_location", ["gradient"], {"norm_type": "minmax"}, {"norm_type"}),
        ("cue_location", ["joint"], {"norm_type": "max", "threshold_type": "log", "protocol": "released"}, set()),
        ("cue_location", ["joint"], {"mask_to_segmentation": False, "cue_masks": "exact"}, {"mask_to_segmentation"}),
        ("cue_location", ["joint"], {"mask_to_segmentation": False}, set()),
        (
            "accuracy",
            [None],
            {"prior_activation": "relu", "has_grid_size": 9, "label_smoothing": 0.1},
            {"prior_activation", "has_grid_size"},
        ),
        (
            "accuracy",
            [None],
            {"attribution_method": "CALM_EM", "prior_activation": "relu", "em_momentum": 0.5},
            {"em_momentum"},
        ),
        ("accuracy", [None], {"em_target": "ema", "attribution_method": "CALM_EM", "em_momentum": 0.5}, set()),
        ("accuracy", [None], {"pretrained_path": "a.pth", "load_checkpoint": "save/x/"}, {"pretrained_path"}),
        ("accuracy", [None], {"pretrained_path": "a.pth", "pretrained": False}, {"pretrained_path"}),
        ("accuracy", [None], {"pretrained_path": "a.pth"}, set()),
        ("accuracy", [None], {"schedule": "cosine", "lr_decay_frequency": 5}, {"lr_decay_frequency"}),
        ("accuracy", [None], {"optimizer": "adamw", "momentum": 0.8, "lr_decay_frequency": 5}, {"momentum"}),
        ("accuracy", [None], {"gradient_loss_weight": 0.1}, {"gradient_loss_weight"}),
        ("accuracy", [None], {"gradient_loss_weight": 0.1, "gradient_loss": "mae", "momentum": 0.8}, set()),
    ],
)
def test_a_flag_without_effect_is_said(capsys, evaluation, attributions, given, idle):
    script = "main" if evaluation == "accuracy" else f"eval_{evaluation}"
    args = config.parse([f"--{name}={value}" for name, value in given.items()], script)
    warn_of_idle_flags(args, evaluation, attributions)
    lines = capsys.readouterr().out.splitlines()
    assert all("has no effect on" in line and "it means: " in line for line in lines)
    assert sorted(line.split()[1].split("=")[0] for line in lines) == sorted(f"--{name}" for name in idle)
