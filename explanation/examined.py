"""The test split that figures are drawn from: what is known of its cues, and what the networks say of its images."""

from collections.abc import Sequence

import torch
from torch import Tensor

from calm import runs
from calm.data_loaders.cues.annotations import annotations_folder
from calm.data_loaders.cues.pairs import ClassPair, class_pairs, differing_parts
from calm.data_loaders.cues.part_maps import KeypointParts, PartMaps
from calm.data_loaders.datasets import ImageDataset
from calm.errors import UserError
from calm.explanation.cues import part_maps_of
from calm.explanation.shown import Run, Shown

LOOKED_AT = 500
"""Of a larger test split so many images, drawn by the seed, are looked at for those that are shown."""
BATCH = 32


class ExaminedSplit:
    """The test split of the runs' data set, what is known of its cues, and what the networks say of it.

    Args:
        shown: the runs.
        seed: draws the images that are looked at, where the split is large.
    """

    def __init__(self, shown: Sequence[Run], seed: int) -> None:
        first = shown[0]
        runs.ensure_data(first.flags)
        self.runs = shown
        self.dataset = runs.evaluation_dataset(first.flags, first.network, "test")
        if len(self.dataset) > LOOKED_AT:
            order = torch.randperm(len(self.dataset), generator=torch.Generator().manual_seed(seed))
            self.dataset = self.dataset.subset(order[:LOOKED_AT].sort().values.tolist())
        self.targets = [record.target for record in self.dataset.records]
        self.pairs, self.part_maps = _cues(first, self.dataset)
        self.probabilities = [class_probabilities(run, self.dataset) for run in shown]

    @property
    def right(self) -> list[int]:
        """Indices of the images whose class every network predicts.

        Raises:
            UserError: there is none.
        """
        predicted = torch.stack([p_y.argmax(dim=1) for p_y in self.probabilities])
        found = (predicted == torch.tensor(self.targets)).all(dim=0).nonzero().flatten().tolist()
        if not found:
            raise UserError("no test image is classified correctly by every checkpoint: train longer first")
        return found

    def shown(self, index: int, versus: int, pair: ClassPair | None = None) -> Shown:
        """An image of the split, compared with a class."""
        part_map = self.part_maps(index)[0] if self.part_maps else None
        image_id, target = self.dataset.records[index].image_id, self.targets[index]
        return Shown(self.dataset.image_path(index), image_id, target, versus, pair, part_map)

    def rivals(self, index: int) -> list[tuple[int, ClassPair | None]]:
        """Classes that an image's class may be compared with, the most probable first, and the pair.

        Where cues are known: those that differ from it in one to three parts; else all others.
        """
        target, p = self.targets[index], torch.stack([p_y[index] for p_y in self.probabilities]).mean(dim=0)
        if self.part_maps is None:
            return [(k, None) for k in p.argsort(descending=True, stable=True).tolist() if k != target]
        of_target = [(pair.class_a + pair.class_b - target, pair) for pair in self.pairs if target in pair[:2]]
        return sorted(of_target, key=lambda other: -float(p[other[0]]))


def _cues(run: Run, dataset: ImageDataset) -> tuple[list[ClassPair], PartMaps | None]:
    """The class pairs of few differing parts and the parts of every image, where the data set tells them."""
    data_set = run.data_set
    if not data_set.has_parts:
        return [], None
    root = annotations_folder(run.flags.data_root, data_set.name)
    image_ids, pairs = [record.image_id for record in dataset.records], class_pairs(differing_parts(root))
    if data_set.exact_parts:
        return pairs, part_maps_of(run.flags, dataset)[1]
    sizes = [dataset.original_size(index) for index in range(len(dataset))]
    inside = (root / "segmentations").is_dir()
    return pairs, KeypointParts(root, image_ids, sizes, size=run.size, inside_bird=inside)


@torch.inference_mode()
def class_probabilities(run: Run, dataset: ImageDataset) -> Tensor:
    """p(y|x) of every image, [N,K] on the CPU, in the order of ``dataset``."""
    seen = dataset.viewed(crop_size=run.size, mean=run.network.mean, std=run.network.std)
    device, found = next(run.network.parameters()).device, []
    for start in range(0, len(seen), BATCH):
        images = [seen[index][0] for index in range(start, min(start + BATCH, len(seen)))]
        found.append(run.network(torch.stack(images).to(device)).log_p_y.exp().cpu())
    return torch.cat(found)
