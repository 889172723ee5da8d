"""Flags of evaluations."""

from calm.flags.flag import EVALUATIONS, Owner, map_flag, place_flag
from calm.flags.values import boolean, positive_int

_RELEASED = ("protocol", "released")
EVALUATION = (
    map_flag(
        "protocol",
        str,
        "paper",
        "as the paper says, or as the released code does, where they differ",
        ("paper", "released"),
        words={"released": "released protocol"},
        scripts=EVALUATIONS,
    ),
    map_flag("tag", str, None, "suffix of the results file", scripts=EVALUATIONS, label=True),
    map_flag(
        "class_pairs",
        str,
        None,
        "only these class pairs, ids from 1, such as 9-27,9-107",
        scripts=("eval_cue_location",),
    ),
    map_flag(
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
    map_flag(
        "part_points",
        str,
        "mean",
        "the head in cue masks from keypoints: the mean of its keypoints (released), or all of them",
        ("mean", "all"),
        words={"all": "all keypoints of the head"},
        scripts=("eval_cue_location",),
        owners=(Owner("cue_location", {"cue_masks": "keypoints"}),),
    ),
    map_flag(
        "mask_to_segmentation",
        boolean,
        True,
        "keep the cue mask inside the bird's segmentation",
        scripts=("eval_cue_location",),
    ),
    map_flag(
        "cue_masks",
        str,
        "keypoints",
        "cue masks from keypoints, or exact (SynthBirds' part masks)",
        ("keypoints", "exact"),
        words={"exact": "exact cue masks"},
        scripts=("eval_cue_location",),
    ),
    map_flag(
        "erase",
        str,
        "blur",
        "what replaces erased pixels",
        ("blur", "zero", "mean", "noise"),
        default_under={_RELEASED: "zero"},
        scripts=("eval_pixel_perturb",),
    ),
    map_flag(
        "resize_mode",
        str,
        "bilinear",
        "how maps are enlarged (bicubic as in wsolevaluation)",
        ("bilinear", "bicubic"),
        scripts=("eval_wsol",),
    ),
    map_flag(
        "scoremap_root",
        str,
        None,
        "evaluate the score maps of this folder, <image id>.npy or .npz in [0, 1], instead of a network's; "
        "eval_cue_location.py takes <class id from 1>/<image id>.npy",
        scripts=EVALUATIONS,
    ),
    map_flag("max_images", positive_int, None, "only so many images, drawn by the seed", scripts=EVALUATIONS),
    map_flag(
        "attributions",
        str,
        None,
        "maps to compare, such as gradcam,joint (default: that of --score_map_process)",
        label=True,
        scripts=("eval_attribution", "eval_intervention"),
    ),
    map_flag(
        "explain",
        str,
        "target",
        "the class that is explained: the true or the predicted one",
        ("target", "predicted"),
        scripts=("eval_attribution",),
    ),
    map_flag(
        "regions",
        str,
        None,
        "where the object is: boxes or masks (default: boxes where the data set has them)",
        ("boxes", "masks"),
        scripts=("eval_attribution",),
    ),
    place_flag(
        "eval_batch_size",
        positive_int,
        None,
        "images of a pass where a map or a curve takes many (default: 32, or 8 where gradients are kept)",
        scripts=EVALUATIONS,
    ),
    map_flag(
        "auc_steps", positive_int, 20, "steps of the insertion and deletion curves", scripts=("eval_attribution",)
    ),
)
