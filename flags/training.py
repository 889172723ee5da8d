"""Flags of training."""

from calm.flags.flag import METHOD, Flag, Owner, place_flag
from calm.flags.values import boolean, non_negative, positive_int

TRAINING = (
    Flag("is_train", boolean, True, "False only measures the accuracy of --load_checkpoint", label=True),
    Flag("epochs", positive_int, 40, "passes over the training set", on_resume="free", per_trunk=True),
    Flag("pretrained", boolean, True, "start from ImageNet weights", on_resume="free"),
    place_flag(
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
        owners=METHOD,
        words={"ema": "lagging theta'"},
    ),
    Flag(
        "em_momentum",
        non_negative,
        0.999,
        "of the moving average for --em_target=ema",
        owners=(Owner("method", {"em_target": "ema"}),),
    ),
    place_flag(
        "resume", boolean, False, "continue the run of this experiment name", on_resume="call", scripts=("main",)
    ),
)
