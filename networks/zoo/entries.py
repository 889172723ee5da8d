"""Published weights: where each file is, how it was trained, and what it reached."""

from dataclasses import dataclass, field
from typing import Any

DRIVE_ADDRESS = "https://drive.usercontent.google.com/download?id={id}&export=download&confirm=t"
"""Direct download of a Google Drive file; ``confirm`` answers the question it asks about files it cannot scan."""
DRIVE_PAGE = "https://drive.google.com/file/d/{id}/view"
TORCHVISION_ADDRESS = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Entry:
    """One file."""

    name: str
    address: str
    """Where the file itself is."""
    page: str
    """Where a person with a browser finds it."""
    file_name: str
    accuracy: float
    """Published top-1 accuracy, percent."""
    accuracy_source: str
    recipe: dict[str, Any] = field(default_factory=dict)
    """Flags that describe the network and its data set."""
    evaluations: tuple[str, ...] = ()
    """Scripts ``eval_<name>.py`` that the paper ran on it."""
    num_classes: int | None = None
    """K of a checkpoint's network."""
    sha256_prefix: str = ""
    """Beginning of the file's sha256, as far as it is published."""
    size: int | None = None
    """Bytes, where published."""

    @property
    def is_checkpoint(self) -> bool:
        """Whether it is a whole CALM network; else it is an ImageNet trunk."""
        return "attribution_method" in self.recipe


def _calm(
    method: str,
    dataset: str,
    accuracy: float,
    drive_id: str,
    *,
    num_classes: int,
    released_as: str | None = None,
    has_parts: bool = False,
) -> Entry:
    recipe = {
        "architecture": "resnet50",
        "attribution_method": method,
        "dataset_name": dataset,
        "large_feature_map": True,
        "use_bn": True,
        "prior_activation": "relu",
        "detach_prior_sum": True,
        "inception_tap": "mixed_6d",
    }
    return Entry(
        name=f"{method}_{released_as or dataset}",
        address=DRIVE_ADDRESS.format(id=drive_id),
        page=DRIVE_PAGE.format(id=drive_id),
        file_name="last_checkpoint.pth.tar",
        accuracy=accuracy,
        accuracy_source=f"{dataset} test, paper Table 2",
        recipe=recipe,
        num_classes=num_classes,
        evaluations=("cue_location", "pixel_perturb") if has_parts else ("pixel_perturb",),
    )


def _trunk(name: str, file_name: str, accuracy: float, **recipe: Any) -> Entry:
    address = TORCHVISION_ADDRESS + file_name
    return Entry(
        name=name,
        address=address,
        page=address,
        file_name=file_name,
        accuracy=accuracy,
        accuracy_source="ImageNet val with its own classifier, torchvision's documentation",
        recipe={"architecture": name} | recipe,
        sha256_prefix=file_name.removesuffix(".pth").rsplit("-", 1)[1],
    )


CHECKPOINTS = {
    entry.name: entry
    for entry in (
        _calm("CALM_EM", "CUB", 71.8, "1XfBEc1Lh24WqJZP1aLLrwGSlj_INMVef", num_classes=200, has_parts=True),
        _calm("CALM_EM", "OpenImages", 70.1, "11250uUiRNafuTbnx2h4kryiVI-7218mW", num_classes=100),
        _calm("CALM_EM", "ILSVRC", 70.4, "17451YI9KANnkmmn2ix0N-uHYZljsq4Lc", num_classes=1000, released_as="ImageNet"),
        _calm("CALM_ML", "CUB", 59.6, "1JgupGC2EoIX8wqpYgKPS-3kSLF-29Z8g", num_classes=200, has_parts=True),
        _calm("CALM_ML", "OpenImages", 70.9, "1QHhiRjO_Oz_yIl64PJqMeCJzK1KUlffA", num_classes=100),
        _calm("CALM_ML", "ILSVRC", 70.6, "1w4L4_R9o_Sp-9_Mt5IdEJs5DZuqaCfyp", num_classes=1000, released_as="ImageNet"),
    )
}
"""The six CALM networks of the paper. Their files state neither map size nor data set: the flags are those of the
release's instructions, which show --large_feature_map=True and --use_bn=True (no effect on resnet50)."""

IMAGENET = {
    entry.name: entry
    for entry in (
        _trunk("resnet50", "resnet50-19c8e357.pth", 76.13),
        _trunk("vgg16", "vgg16-397923af.pth", 71.59),
        _trunk("vgg16_bn", "vgg16_bn-6c64b313.pth", 73.36, architecture="vgg16", use_bn=True),
        _trunk("inception_v3", "inception_v3_google-1a9a5a14.pth", 77.29),
        _trunk("resnet18", "resnet18-f37072fd.pth", 69.76),
    )
}
"""ImageNet weights of the trunks, torchvision's first version."""

ENTRIES = CHECKPOINTS | IMAGENET
