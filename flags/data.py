"""Flags of the data."""

from calm.flags.flag import Flag, place_flag, training_flag
from calm.flags.values import boolean, positive_int

DATASETS = ("CUB", "ILSVRC", "OpenImages", "TinyImageNet", "SynthBirds", "folder")
"""What --help lists of the open table, so that it need not load it; a test holds the list to the table."""

DATA = (
    Flag(
        "dataset_name",
        str,
        "CUB",
        f"{', '.join(DATASETS)}; ImageNet is ILSVRC",
        aliases=("dataset",),
        elsewhere=("data",),
        role="data",
        stated=True,
        label=True,
    ),
    place_flag(
        "data_root",
        str,
        "dataset/",
        "folder that holds the data sets",
        elsewhere=("data_dir", "data_path"),
        on_resume="free",
        stated=True,
    ),
    place_flag(
        "metadata_root", str, "metadata/", "folder that holds the metadata text files", on_resume="free", stated=True
    ),
    place_flag("mask_root", str, "dataset/", "folder that holds object masks", on_resume="free", stated=True),
    training_flag("proxy_training_set", boolean, False, "train on image_ids_proxy.txt"),
    Flag(
        "resize_size",
        positive_int,
        256,
        "side of training images before the random crop; follows --crop_size",
        role="data",
        stated=True,
    ),
    Flag(
        "crop_size",
        positive_int,
        224,
        "side of the network's input",
        elsewhere=("image_size", "img_size", "input_size"),
        role="data",
        stated=True,
    ),
    place_flag(
        "decoder",
        str,
        "fast",
        "how images are read: fast, or pil, the pixels of the published code to the bit",
        ("fast", "pil"),
        default_under={("protocol", "released"): "pil"},
    ),
    Flag("batch_size", positive_int, 64, "images per step, over all processes together", per_trunk=True),
)
