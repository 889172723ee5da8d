"""Flags of attribution maps."""

from calm.flags.flag import ATTRIBUTION, ENLARGED, EVALUATIONS, RELEASED, WSOL, Owner, map_flag
from calm.flags.values import boolean, finite, integer, interval, natural, non_negative, positive_int

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

_RELEASED_BINS = Owner("cue_location", {"protocol": "released"})
_ALONE = tuple(Owner(kind, {"attributions": None}) for kind in ("probability", "class map", "gradient"))
"""A network's map of any kind, where none is named beside it."""
SCORE_MAPS = (
    map_flag(
        "score_map_method",
        str,
        "activation_map",
        "activation_map, or backprop for --score_map_process=vanilla",
        ("activation_map", "backprop"),
        owners=_ALONE,
        label=True,
    ),
    map_flag(
        "score_map_process",
        str,
        None,
        f"the map to use: {MAPS}; or by a released name: {RELEASED_MAPS} "
        "(default: that of the training method, as cam for CAM and joint for CALM); also torchcam:NAME, captum:NAME",
        owners=_ALONE,
        label=True,
    ),
    map_flag(
        "norm_type",
        str,
        "minmax",
        "how a resized map becomes a score map; with eval_cue_location.py's --cue_score=text max or minmax, "
        "and of class maps alone",
        ("max", "minmax", "clipping"),
        default_under={("cue_score", "text"): "max"},
        owners=(
            *ENLARGED,
            Owner("attribution"),
            Owner("cue_location", {"cue_score": "released"}),
            Owner("class map", {"cue_score": "text"}),
        ),
    ),
    map_flag(
        "smoothing_ksize",
        positive_int,
        31,
        "Gaussian kernel for gradient maps, odd; 1 is none",
        default_under={RELEASED: 1},
        owners=ATTRIBUTION,
    ),
    map_flag("smooth_grad_nr_iter", positive_int, 50, "noisy copies of SmoothGrad and VarGrad", owners=ATTRIBUTION),
    map_flag(
        "smooth_grad_sigma",
        non_negative,
        4.0,
        "their noise is (max - min) of the image over this",
        owners=ATTRIBUTION,
    ),
    map_flag("integrated_grad_nr_iter", positive_int, 50, "steps of integrated gradients", owners=ATTRIBUTION),
    map_flag(
        "ig_variant",
        str,
        "standard",
        "integrated gradients: standard (times the input), or released",
        ("released", "standard"),
        default_under={RELEASED: "released"},
        scripts=EVALUATIONS,
        owners=ATTRIBUTION,
    ),
    map_flag(
        "resize_alignment",
        str,
        "grid",
        "where the cells of a map lie in the image: a grid of tiles, or where the trunk's cells look",
        ("grid", "receptive_field"),
        words={"receptive_field": "cells where they look"},
        scripts=EVALUATIONS,
        owners=(Owner("probability"), Owner("class map")),
    ),
    map_flag(
        "cell_offset",
        finite,
        None,
        "with resize_alignment=receptive_field: the pixel at the first cell's middle, in place of the trunk's own",
        scripts=EVALUATIONS,
        owners=(Owner("probability"), Owner("class map")),
    ),
    map_flag(
        "layers",
        str,
        None,
        "Grad-CAM, Grad-CAM++, Layer-CAM: modules, as in layer3,layer4 (default: the last)",
        owners=ATTRIBUTION,
    ),
    map_flag("finercam_base", str, "gradcam", "map of Finer-CAM", ("cam", "gradcam", "layercam"), owners=ATTRIBUTION),
    map_flag("finercam_gamma", non_negative, 0.6, "strength of Finer-CAM's comparison", owners=ATTRIBUTION),
    map_flag("finercam_classes", positive_int, 3, "similar classes Finer-CAM compares with", owners=ATTRIBUTION),
    map_flag("ablation_divides", boolean, False, "Ablation-CAM: divide by the score, as its paper", owners=ATTRIBUTION),
    map_flag(
        "taylor_variant",
        str,
        "pairs",
        "Taylor-CAM: pairs of places, or basic, with second derivatives summed over the first place",
        ("pairs", "basic"),
        owners=ATTRIBUTION,
    ),
    map_flag("finercam_similar", str, "scores", "where similarity is looked for", ("scores", "weights"), scripts=()),
    map_flag("smoothgradcam_nr_iter", positive_int, 4, "noisy copies of Smooth Grad-CAM++", scripts=()),
    map_flag("smoothgradcam_std", non_negative, 0.3, "standard deviation of their noise", scripts=()),
    map_flag("sscam_nr_iter", positive_int, 35, "noisy masks a channel of SS-CAM", scripts=()),
    map_flag("sscam_std", non_negative, 2.0, "standard deviation of their noise", scripts=()),
    map_flag("taylor_self", boolean, True, "Taylor-CAM: a place's interaction with itself counts", scripts=()),
    map_flag("taylor_cell", natural, None, "Taylor-CAM: the map of this cell's partners", scripts=()),
    map_flag(
        "threshold_type",
        str,
        "even",
        "bins of cue localisation's released protocol",
        ("even", "log"),
        owners=(_RELEASED_BINS,),
    ),
    map_flag(
        "cam_curve_interval",
        interval,
        0.001,
        "step between thresholds of eval_wsol.py and of cue localisation's released protocol",
        owners=(*WSOL, _RELEASED_BINS),
    ),
    map_flag(
        "iou_thresholds",
        integer,
        [30, 50, 70],
        "IoU levels of box localisation, in percent",
        many=True,
        owners=WSOL,
    ),
)
