"""A checkpoint under evaluation: what the evaluations share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from calm import distributed
from calm.attribution.catalogue import names_in, resolve_name
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.loaders import Items
from calm.data_loaders.truth import TruthReader
from calm.engine import Prediction, predict
from calm.errors import UserError
from calm.evaluation.file_maps import name_of
from calm.evaluation.idle_flags import warn_of_idle_flags
from calm.evaluation.replaced import warn_of_replaced
from calm.flags import Config
from calm.networks.network import Network
from calm.networks.precision import autocast, settle_arithmetic
from calm.runs import (
    Restored,
    ensure_data,
    evaluation_dataset,
    evaluation_loader,
    resolved,
    restore,
    results_file,
    results_stem,
    run_folder,
    write_results,
)


@dataclass(frozen=True)
class Session:
    """One evaluation of one checkpoint. Data set, supersets and truth are made when first asked for, and once."""

    evaluation: str
    """Such as "wsol": the name of the results."""
    args: Config
    """The flags, those that the checkpoint states among them; ``score_map_process`` is our name of the map."""
    process: distributed.Process
    folder: Path
    """The run folder that the results go to."""
    restored: Restored | None
    """None where maps come from files and no checkpoint is named."""
    beside: "Session | None" = None
    """Another session of this evaluation, whose metadata serves this one where both name one place."""

    @property
    def network(self) -> Network:
        """In evaluation mode, on this process's device."""
        return self._required.network

    @property
    def checkpoint(self) -> Path:
        """The file that the network is from."""
        return self._required.path

    @property
    def _required(self) -> Restored:
        if self.restored is None:
            raise UserError(
                "`load_checkpoint` is missing: name a run folder, a checkpoint file, zoo:NAME or hf:OWNER/NAME"
            )
        return self.restored

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.process.device

    @property
    def map_name(self) -> str:
        """Our name of the attribution that is evaluated."""
        return self.args.score_map_process

    @property
    def results_folder(self) -> Path:
        """Of the evaluation's pictures, results/<evaluation>[_<tag>]/."""
        return results_stem(self.folder, self.evaluation, self.args.tag)

    @cached_property
    def _split(self) -> ImageDataset:
        network, class_names = (self.restored.network, self.restored.class_names) if self.restored else (None, None)
        args, beside, need_images = self.args, self.beside, self.args.get("scoremap_root") is None
        place = ("dataset_name", "data_root", "metadata_root")
        one_place = beside is not None and all(beside.args[name] == args[name] for name in place)
        like = beside._split if beside is not None and one_place else None
        split = args.get("split", "test")
        return evaluation_dataset(args, network, split, need_images=need_images, class_names=class_names, like=like)

    @cached_property
    def dataset(self) -> ImageDataset:
        """The test split, or that of ``split``, or ``max_images`` of it drawn by the seed, in the test transform.

        Where maps come from files its metadata is enough.
        """
        args, dataset = self.args, self._split
        if args.max_images is None or args.max_images >= len(dataset):
            return dataset
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(args.seed))
        return dataset.subset(order[: args.max_images].sort().values.tolist())

    def loader(self, dataset: Items | None = None) -> DataLoader:
        """This process's share of the test split, or of ``dataset``, in order; over all processes each image once."""
        return evaluation_loader(self.args, self.dataset if dataset is None else dataset, self.process)

    @cached_property
    def truths(self) -> TruthReader:
        """(data set, index) -> boxes and masks, in pixels of the maps; an image without either is refused now."""
        args = self.args
        reader = TruthReader(
            dataset_named(args.dataset_name), args.crop_size, Path(args.data_root), Path(args.mask_root)
        )
        reader.check(self.dataset)
        return reader

    @cached_property
    def supersets(self) -> dict[int, list[int]]:
        """Class -> the classes that share its parts."""
        data_set, total = dataset_named(self.args.dataset_name), self.network.num_classes
        supersets = data_set.supersets(total, self.args.data_root)
        if all(len(classes) == total for classes in supersets.values()):
            distributed.print0(f"notice: the superset of every class is all {total} classes: the subset is no choice")
        return supersets

    def predict(self, batches: Iterable, title: str) -> Iterator[Prediction]:
        """Run the network over a loader, or any batches, and yield each with its output."""
        return predict(
            self.network,
            batches,
            device=self.device,
            precision=self.args.precision,
            title=title,
            name_of=self.dataset.name_of,
        )

    def again(self, batch: Prediction) -> Prediction:
        """What this session's network says of another session's batch; a trunk of both does not run a second time."""
        with torch.inference_mode(), autocast(self.device, self.args.precision):
            return batch._replace(output=self.network(batch.images))

    def log_p_y(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> log p(y|x), [B,K]."""
        with autocast(self.device, self.args.precision):
            return self.network(images).log_p_y

    def write(
        self,
        metrics: Mapping[str, Any],
        details: Mapping[str, Any],
        baselines: Mapping[str, Any] | None = None,
        intervals: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write the results file and say where it is.

        Args:
            metrics: of all images.
            details: more to record.
            baselines: the metrics of maps without knowledge.
            intervals: 95 % intervals of some metrics.
        """
        path = write_results(
            self.args,
            self.evaluation,
            metrics=metrics,
            details=details,
            baselines=baselines,
            intervals=intervals,
            split=self._split,
            checkpoint=self.restored.path if self.restored else None,
            checksum=self.restored.sha256 if self.restored else None,
            folder=self.folder,
            protocol=self.args.protocol,
        )
        distributed.print0(f"results: {path}")
        return path


def start_session(args: Config, evaluation: str, *, beside: Session | None = None) -> Session:
    """Join the other processes, load the checkpoint and settle which map is evaluated.

    Results go to the experiment's folder where ``experiment_name`` is given, else to the checkpoint's run folder.
    Without ``load_checkpoint`` there is no network, where the maps come from ``scoremap_root``.
    """
    args, process, restored = resolved(args), distributed.init(), None
    arithmetic = {"deterministic": args.deterministic, "tf32": args.tf32}
    precision = settle_arithmetic(process.device, args.precision, **arithmetic)
    args = args.replaced(precision=precision, seed=args.seed or 0)
    if args.load_checkpoint or args.get("scoremap_root") is None:
        restored = restore(args, process.device)
        args = restored.args
        name = resolve_name(args.score_map_process, args.score_map_method, args.attribution_method)
        args = args.replaced(score_map_process=name)
    ensure_data(args)
    root, names = args.get("scoremap_root"), names_in(args.get("attributions") or "")
    own = [] if root is not None else [args.score_map_process]
    if beside is None:  # of several checkpoints once
        warn_of_idle_flags(args, evaluation, names or own or [None])
    named = "experiment_name" in args.given or restored is None
    folder = run_folder(args) if named else restored.path.parent
    warn_of_replaced(results_file(folder, evaluation, args.tag), [*(names or own), *([name_of(root)] if root else [])])
    return Session(evaluation, args, process, folder, restored, beside)
