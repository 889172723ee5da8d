"""The run folder: where it is, its results, and the evaluation of its checkpoints.

``<save_root>/<experiment_name>/`` holds config.yaml, metrics.jsonl, log.txt, TensorBoard events,
last_checkpoint.pth.tar, best_checkpoint.pth.tar and results/*.json.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from munch import Munch
from torch import Tensor
from torch.utils.data import DataLoader

import config
import distributed
from atomic import write_text
from attribution import GRADIENT_MAPS, build_attribution, canonical_name, output_attribution, resolve_name
from attribution.score_map import smooth
from attribution.supersets import supersets_of
from data_loaders import synthbirds
from data_loaders.classes import read_wnids
from data_loaders.datasets import ImageDataset, build_dataset, build_loader
from engine import Prediction, autocast, compile_in_place
from errors import UserError
from networks.checkpoint import CHECKPOINT_KEYS, FILE_NAME, load, locate_checkpoint
from networks.network import Network

_MAP_FLAGS = ("smooth_grad_nr_iter", "smooth_grad_sigma", "integrated_grad_nr_iter", "ig_variant")
LAST, BEST = FILE_NAME, "best_checkpoint.pth.tar"


def run_folder(args: Munch) -> Path:
    """Where the experiment lives."""
    return Path(args.save_root) / args.experiment_name


def sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    """NaN -> None, tuples -> lists, paths -> text: what JSON can say."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def write_results(
    args: Munch,
    evaluation: str,
    *,
    metrics: Mapping[str, Any],
    details: Mapping[str, Any],
    checkpoint: Path | None,
    folder: Path,
    protocol: str = "paper",
) -> Path:
    """Write results/<evaluation>[_<tag>].json on rank 0 and return its path; an older file of the name is replaced."""
    tag = f"_{args.tag}" if args.get("tag") else ""
    path = folder / "results" / f"{evaluation}{tag}.json"
    if distributed.is_main():
        content = {
            "evaluation": evaluation,
            "protocol": protocol,
            "config": config.recorded(args),
            "checkpoint": None if checkpoint is None else {"path": str(checkpoint), "sha256": sha256(checkpoint)},
            "metrics": metrics,
            "details": details,
        }
        write_text(path, json.dumps(_plain(content), indent=1) + "\n")
    distributed.barrier()
    return path


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

    def attribution_name(self) -> str:
        """Our name of the attribution that the flags ask for."""
        process = self.args.score_map_process if "score_map_process" in self.args.given else None
        return resolve_name(process, self.args.score_map_method, self.args.attribution_method)

    def attribution_options(self, name: str, dataset: ImageDataset) -> dict[str, Any]:
        """What ``build_attribution(name, ...)`` takes from the flags and, for maps over supersets, from the data."""
        if canonical_name(name) == "counterfactual":
            raise UserError(
                "the attribution counterfactual compares two classes, and an evaluation explains one: choose joint, or "
                "explain.py with --versus"
            )
        options = {key: self.args[key] for key in _MAP_FLAGS} | {"seed": self.args.seed}
        if "subset" in canonical_name(name):
            wnids = read_wnids(self.args.data_root) if self.args.dataset_name == "TinyImageNet" else None
            options["supersets"] = supersets_of(self.args.dataset_name, self.network.num_classes, wnids=wnids)
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
            return smooth(raw, self.args.smoothing_ksize) if canonical_name(name) in GRADIENT_MAPS else raw

        return maps

    def write(self, metrics: Mapping[str, Any], details: Mapping[str, Any], *, protocol: str | None = None) -> Path:
        """Write the results file and say where it is."""
        path = write_results(
            self.args, self.name, metrics=metrics, details=details, checkpoint=self.checkpoint, folder=self.folder,
            protocol=protocol or self.args.protocol,
        )  # fmt: skip
        distributed.print0(f"results: {path}")
        return path


def draw_missing_birds(args: Munch) -> None:
    """SynthBirds is made where it is asked for and missing."""
    if args.dataset_name == synthbirds.NAME and distributed.is_main():
        synthbirds.ensure(args.data_root, args.metadata_root)
    distributed.barrier()


def evaluation_dataset(
    args: Munch, network: Network | None, split: str, *, need_images: bool = True
) -> ImageDataset:
    """``split`` of the data set in ``args``, resized to crop_size, normalised for ``network``, within its classes."""
    normalisation = {} if network is None else {"mean": network.mean, "std": network.std}
    dataset = build_dataset(
        args.dataset_name, split, data_root=args.data_root, metadata_root=args.metadata_root,
        resize_size=args.resize_size, crop_size=args.crop_size, need_images=need_images, **normalisation,
    )  # fmt: skip
    highest = max(record.target for record in dataset.records)
    if network is not None and highest >= network.num_classes:
        raise UserError(
            f"{dataset.image_list.parent} has label {highest}, but the network's {network.num_classes} classes end at "
            f"{network.num_classes - 1}: was it trained on these classes of {args.dataset_name}?"
        )
    return dataset


def evaluation_loader(args: Munch, dataset: ImageDataset, process: distributed.Process) -> DataLoader:
    """Batches of this process's share of ``dataset``, without padding."""
    return build_loader(
        dataset, max(1, args.batch_size // process.world_size), workers=args.workers, rank=process.rank,
        world_size=process.world_size, pin_memory=process.device.type == "cuda",
    )  # fmt: skip


def restore(args: Munch, device: torch.device) -> tuple[Network, Path]:
    """Load --load_checkpoint: the network in evaluation mode on ``device``; ``args`` takes over the run's config.

    Flags given on the command line go before the run's config, with a notice where they differ.
    """
    if not args.load_checkpoint:
        raise UserError("--load_checkpoint is missing: name a run folder, a checkpoint file or zoo:NAME")
    path = locate_checkpoint(args.load_checkpoint, save_root=args.save_root)
    given = {key: args[key] for key in CHECKPOINT_KEYS if key in args.given}
    loaded = load(path, **given)
    for key, value in loaded.overridden.items():
        distributed.print0(f"notice: --{key}={given[key]} overrides the checkpoint's {value}")
    args.update({key: loaded.config[key] for key in CHECKPOINT_KEYS if key in loaded.config})
    network = loaded.network.to(device).eval()
    if args.compile:
        compile_in_place(network, device)
    return network, path


def start_evaluation(argv: Sequence[str] | None, name: str, *, needs_network: bool = True) -> Evaluation:
    """Parse the flags of eval_<name>.py, join the other processes and load the checkpoint.

    Results go to the experiment's folder where --experiment_name is given, else to the checkpoint's run folder.
    With ``needs_network=False`` a missing --load_checkpoint is accepted and the network is None.
    """
    script = f"eval_{name}"
    args = config.parse(argv, script)
    process = distributed.init()
    network, checkpoint = None, None
    if needs_network or args.load_checkpoint:
        network, checkpoint = restore(args, process.device)
        if args.score_map_process is None:
            args.score_map_process = config.default_score_map(args.attribution_method)
    draw_missing_birds(args)
    named = "experiment_name" in args.given or checkpoint is None
    return Evaluation(name, args, process, run_folder(args) if named else checkpoint.parent, network, checkpoint)
