"""The evaluation of one checkpoint: what the eval_* scripts share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from munch import Munch
from torch import Tensor
from torch.utils.data import DataLoader

from calm import config, distributed
from calm.attribution import ATTRIBUTIONS, build_attribution, canonical_name, output_attribution
from calm.attribution.catalogue import default_attribution, resolve_name
from calm.attribution.score_map import smooth
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.truth import TruthReader
from calm.engine import Prediction, predict
from calm.errors import UserError
from calm.networks.network import Network
from calm.networks.precision import autocast
from calm.runs import (
    ensure_data,
    evaluation_dataset,
    evaluation_loader,
    resolved,
    restore,
    run_folder,
    write_results,
)

_MAP_FLAGS = ("smooth_grad_nr_iter", "smooth_grad_sigma", "integrated_grad_nr_iter", "ig_variant")


@dataclass
class Evaluation:
    """Everything an evaluation script needs: flags, network, process, and where its results go."""

    name: str
    args: Munch
    process: distributed.Process
    folder: Path
    network: Network | None
    checkpoint: Path | None

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.process.device

    @property
    def results_dir(self) -> Path:
        """Folder for the evaluation's pictures, results/<evaluation>[_<tag>]/."""
        tag = f"_{self.args.tag}" if self.args.tag else ""
        return self.folder / "results" / f"{self.name}{tag}"

    def dataset(self, split: str = "test", *, need_images: bool = True) -> ImageDataset:
        """The split, with this network's test transform; without ``need_images`` its metadata is enough."""
        return evaluation_dataset(self.args, self.network, split, need_images=need_images)

    def loader(self, dataset: ImageDataset) -> DataLoader:
        """This process's share of ``dataset``, in order; over all processes each image is there once."""
        return evaluation_loader(self.args, dataset, self.process)

    def truths(self, dataset: ImageDataset) -> TruthReader:
        """(data set, index) -> boxes and masks, in pixels of the maps; an image without either is refused now."""
        args = self.args
        reader = TruthReader(
            dataset_named(args.dataset_name), args.crop_size, Path(args.data_root), Path(args.mask_root)
        )
        reader.check(dataset)
        return reader

    def attribution_name(self) -> str:
        """Our name of the attribution that the flags ask for."""
        process = self.args.score_map_process if "score_map_process" in self.args.given else None
        return resolve_name(process, self.args.score_map_method, self.args.attribution_method)

    def attribution_options(self, name: str, dataset: ImageDataset) -> dict[str, Any]:
        """What ``build_attribution(name, ...)`` takes from the flags and, for maps over supersets, from the data."""
        attribution = ATTRIBUTIONS[canonical_name(name)]
        if attribution.needs_versus:
            raise UserError(
                f"the attribution {name} compares two classes, and an evaluation explains one: choose joint, or "
                "explain.py with --versus"
            )
        options = {key: self.args[key] for key in _MAP_FLAGS} | {"seed": self.args.seed}
        if attribution.needs_supersets:
            data_set = dataset_named(self.args.dataset_name)
            options["supersets"] = data_set.supersets(self.network.num_classes, self.args.data_root)
        return options

    def raw_maps(self, name: str, dataset: ImageDataset) -> Callable[[Prediction], Tensor]:
        """(a batch's prediction) -> raw maps of the true class, [B,h,w] or, blurred by --smoothing_ksize, [B,H,W].

        Maps that are functions of the output cost no further pass of the network.
        """
        options = self.attribution_options(name, dataset)
        of_output, of_images = output_attribution(name, **options), build_attribution(name, **options)

        def maps(batch: Prediction) -> Tensor:
            if of_output is not None:
                with torch.inference_mode():
                    return of_output(batch.output, batch.targets)
            with autocast(self.device, self.args.precision):
                raw = of_images(self.network, batch.images, batch.targets).float()
            return smooth(raw, self.args.smoothing_ksize) if ATTRIBUTIONS[canonical_name(name)].image_sized else raw

        return maps

    def predict(self, batches: Iterable, title: str) -> Iterator[Prediction]:
        """Run the network over a loader, or any batches, and yield each with its output."""
        return predict(self.network, batches, device=self.device, precision=self.args.precision, title=title)

    def log_p_y(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> log p(y|x), [B,K]."""
        with autocast(self.device, self.args.precision):
            return self.network(images).log_p_y

    def write(self, metrics: Mapping[str, Any], details: Mapping[str, Any], *, protocol: str | None = None) -> Path:
        """Write the results file and say where it is."""
        path = write_results(
            self.args,
            self.name,
            metrics=metrics,
            details=details,
            checkpoint=self.checkpoint,
            folder=self.folder,
            protocol=protocol or self.args.protocol,
        )
        distributed.print0(f"results: {path}")
        return path


def start_evaluation(
    argv: Sequence[str] | None, name: str, *, about: str | None = None, needs_network: bool = True
) -> Evaluation:
    """Parse the flags of eval_<name>.py, join the other processes and load the checkpoint.

    Results go to the experiment's folder where --experiment_name is given, else to the checkpoint's run folder.
    With ``needs_network=False`` a missing --load_checkpoint is accepted and the network is None. ``about`` is what
    --help says before the flags.
    """
    script = f"eval_{name}"
    args = resolved(config.parse(argv, script, about=about))
    process = distributed.init()
    network, checkpoint = None, None
    if needs_network or args.load_checkpoint:
        network, checkpoint, args = restore(args, process.device)
        if args.score_map_process is None:
            args = args.replaced(score_map_process=default_attribution(args.attribution_method))
        ensure_data(args)
    named = "experiment_name" in args.given or checkpoint is None
    return Evaluation(name, args, process, run_folder(args) if named else checkpoint.parent, network, checkpoint)
