"""Options of training methods."""

from calm.flags.flag import METHOD, Owner, network_flag, training_flag
from calm.flags.values import natural, non_negative, share

GRADIENT_LOSSES = ("cosine", "mae", "mse")
METHOD_OPTIONS = (
    training_flag(
        "has_grid_size",
        natural,
        4,
        "HaS: side of a hidden square in pixels; 0 hides nothing",
        owners=METHOD,
        per_trunk=True,
    ),
    training_flag(
        "has_drop_rate", share, 0.5, "HaS: probability that a square is hidden", owners=METHOD, per_trunk=True
    ),
    training_flag(
        "cutmix_beta",
        non_negative,
        1.0,
        "CutMix: of the share's distribution; 0 mixes nothing",
        owners=METHOD,
        per_trunk=True,
    ),
    training_flag(
        "cutmix_prob", share, 1.0, "CutMix: probability that a batch is mixed", owners=METHOD, per_trunk=True
    ),
    training_flag("adl_drop_rate", share, 0.75, "ADL: probability of the drop mask", owners=METHOD, per_trunk=True),
    training_flag(
        "adl_threshold", share, 0.9, "ADL: share of the maximum that is dropped", owners=METHOD, per_trunk=True
    ),
    network_flag(
        "acol_threshold",
        share,
        0.7,
        "ACoL: where the first map reaches it the second branch is blind",
        owners=METHOD,
        per_trunk=True,
    ),
    *(
        training_flag(
            f"spg_threshold_{number}{word[0]}",
            share,
            default,
            f"SPG: {word} threshold of {attention}",
            owners=METHOD,
            per_trunk=True,
        )
        for number, attention, highs in (
            (1, "the class map, for branch b2", (0.7, 0.01)),
            (2, "b2, for branch b1", (0.5, 0.05)),
            (3, "b1 and b2, for branch c", (0.7, 0.1)),
        )
        for word, default in zip(("high", "low"), highs)
    ),
    *(
        training_flag(f"inca_{word}", kind, default, f"InCA_like, our reading: {meaning}", owners=METHOD)
        for word, kind, default, meaning in (
            ("background", share, 0.2, "attention below it is background"),
            ("foreground", share, 0.4, "attention above it is foreground"),
            ("drop", share, 0.8, "attention above it is dropped from the foreground"),
            ("margin", non_negative, 0.3, "by which the background should be farther away"),
        )
    ),
    training_flag(
        "gradient_loss",
        str,
        None,
        "any method: pull the image's gradient towards the guided one; cosine, mae or mse (default: no)",
        GRADIENT_LOSSES,
    ),
    training_flag(
        "gradient_loss_weight",
        non_negative,
        0.0075,
        "of --gradient_loss",
        owners=tuple(Owner("training", {"gradient_loss": loss}) for loss in GRADIENT_LOSSES),
    ),
)
