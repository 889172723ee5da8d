"""Flags of training."""

from calm.flags.flag import METHOD, Flag, Owner, place_flag
from calm.flags.values import boolean, natural, non_negative, positive_int, share

_ADAMW = ("optimizer", "adamw")
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
        owners=(Owner("accuracy", {"pretrained": True, "load_checkpoint": None}),),
    ),
    Flag(
        "pretrained_classifier",
        boolean,
        False,
        "ILSVRC, resnet50 or resnet18, CAM, HaS, CutMix or ADL: ImageNet's own classifier is the first conv_last",
        words={"True": "ImageNet's classifier"},
        per_trunk=True,
    ),
    Flag(
        "freeze_trunk",
        boolean,
        False,
        "train the head alone: layers with ImageNet weights, and their batch norm's statistics, stay as they are",
        words={"True": "frozen trunk"},
    ),
    Flag(
        "optimizer",
        str,
        "sgd",
        "SGD with Nesterov momentum (paper), or Adam with decoupled weight decay",
        ("sgd", "adamw"),
        words={"adamw": "AdamW"},
    ),
    Flag(
        "lr",
        non_negative,
        0.01,
        "learning rate of the trunk",
        elsewhere=("learning_rate",),
        default_under={_ADAMW: 1e-4},
        per_trunk=True,
    ),
    Flag("lr_classifier_ratio", non_negative, 10, "factor on --lr for the new layers"),
    Flag(
        "schedule",
        str,
        "step",
        "of the learning rates: steps (paper), or half a cosine down to 0 at the last of --epochs",
        ("step", "cosine"),
        words={"cosine": "cosine schedule"},
    ),
    Flag(
        "lr_decay_frequency",
        positive_int,
        30,
        "learning rates x0.1 every so many epochs, for --schedule=step",
        per_trunk=True,
    ),
    Flag("warmup_epochs", natural, 0, "epochs in which the learning rates rise to their first values"),
    Flag("momentum", non_negative, 0.9, "of SGD with Nesterov momentum"),
    Flag(
        "weight_decay",
        non_negative,
        1e-4,
        "L2 penalty; decoupled for adamw",
        elsewhere=("wd",),
        default_under={_ADAMW: 1e-2},
        per_trunk=True,
    ),
    Flag(
        "label_smoothing",
        share,
        0.0,
        "CAM and LFI_CAM: share of the target that is spread over all classes evenly",
        owners=METHOD,
    ),
    Flag(
        "model_ema_decay",
        share,
        None,
        "evaluate and keep the moving average of the weights with this decay, such as 0.999 (default: the weights)",
        words={"None": "no moving average"},
    ),
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
