"""The run folder: where it is, its checkpoint, its results, and the data they are about.

``<save_root>/<experiment_name>/`` holds config.yaml, metrics.jsonl, log.txt, TensorBoard events,
last_checkpoint.pth.tar, best_checkpoint.pth.tar and results/*.json.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader

from calm import distributed
from calm.atomic import sha256, write_text
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.contents import contents_of
from calm.data_loaders.datasets import ImageDataset, build_dataset, build_loader
from calm.data_loaders.loaders import Items
from calm.data_loaders.record_columns import targets_of
from calm.engine import compile_in_place
from calm.errors import UserError, as_flags
from calm.flags import Config, recorded, recorded_evaluation
from calm.networks.checkpoint import CHECKPOINT_KEYS, Loaded, load
from calm.networks.checkpoint_files import FILE_NAME, locate_checkpoint
from calm.networks.methods import canonical_method
from calm.networks.network import Network
from calm.networks.precision import laid_out
from calm.networks.trunks import canonical_architecture

LAST, BEST = FILE_NAME, "best_checkpoint.pth.tar"
EXPORTS = tuple(f"model{suffix}{end}" for suffix in (".onnx", ".pt", ".pt2") for end in ("", ".json"))
"""A checkpoint as files of other frameworks, and the description of each, where they lie beside it."""


def run_folder(args: Config) -> Path:
    """Where the experiment lives."""
    return Path(args.save_root) / args.experiment_name


def _plain(value: Any) -> Any:
    """NaN -> None, tuples -> lists, paths -> text: what JSON can say."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def results_stem(folder: Path, evaluation: str, tag: str | None) -> Path:
    """<run folder>/results/<evaluation>[_<tag>]: where the results lie, but for the suffix; also a folder's name."""
    return folder / "results" / (f"{evaluation}_{tag}" if tag else evaluation)


def results_file(folder: Path, evaluation: str, tag: str | None) -> Path:
    """<run folder>/results/<evaluation>[_<tag>].json."""
    return Path(f"{results_stem(folder, evaluation, tag)}.json")


def write_results(
    args: Config,
    evaluation: str,
    *,
    metrics: Mapping[str, Any],
    details: Mapping[str, Any],
    split: ImageDataset,
    checkpoint: Path | None,
    folder: Path,
    protocol: str = "paper",
    checksum: str | None = None,
    baselines: Mapping[str, Any] | None = None,
    intervals: Mapping[str, Any] | None = None,
) -> Path:
    """Write results/<evaluation>[_<tag>].json on rank 0 and return its path; an older file of the name is replaced.

    ``split`` is all that the images are drawn from; ``checksum`` is the SHA-256 of the checkpoint, where it is known
    already; ``baselines`` are the metrics of maps without knowledge on the same images, for localisation;
    ``intervals`` are 95 % intervals of some metrics.
    """
    path = results_file(folder, evaluation, args.get("tag"))
    if distributed.is_main():
        content = {
            "evaluation": evaluation,
            "protocol": protocol,
            "config": recorded(args) if evaluation == "accuracy" and args.is_train else recorded_evaluation(args),
            "data": contents_of(split),
            "checkpoint": None
            if checkpoint is None
            else {"path": str(checkpoint), "sha256": checksum or sha256(checkpoint)},
            "metrics": metrics,
            **({} if baselines is None else {"baselines": baselines}),
            **({} if intervals is None else {"intervals": intervals}),
            "details": details,
        }
        write_text(path, json.dumps(_plain(content), indent=1) + "\n")
    distributed.barrier()
    return path


def ensure_data(args: Config) -> None:
    """A data set that can be made is made where it is missing, with a notice."""
    data_set = dataset_named(args.dataset_name)
    if data_set.ensure is not None and distributed.is_main():
        data_set.ensure(args.data_root, args.metadata_root, lambda notice: print(as_flags(notice), flush=True))
    distributed.barrier()


def warn_of_unusual_data(args: Config) -> None:
    """Say with which options a data set was made that is not the one which would be made where it is missing."""
    data_set = dataset_named(args.dataset_name)
    root = data_set.root(args.data_root)
    if data_set.unusual is not None and (words := data_set.unusual(root)):
        anew = f"{data_set.made_by} --overwrite --data_root {args.data_root} --metadata_root {args.metadata_root}"
        distributed.print0(f"notice: {root} was made with {words}; the default: {anew}")


def evaluation_dataset(
    args: Config,
    network: Network | None,
    split: str,
    *,
    need_images: bool = True,
    class_names: Sequence[str] | None = None,
    like: ImageDataset | None = None,
) -> ImageDataset:
    """``split`` of the data set in ``args``, resized to crop_size, normalised for ``network``, within its classes.

    ``class_names`` are those that the checkpoint states; where the data set has others a notice says so. ``like`` is
    the split of another network at the same place, whose metadata is taken over.
    """
    normalisation: dict[str, Any] = {} if network is None else {"mean": network.mean, "std": network.std}
    if like is None:
        dataset = build_dataset(
            args.dataset_name,
            split,
            data_root=args.data_root,
            metadata_root=args.metadata_root,
            resize_size=args.resize_size,
            crop_size=args.crop_size,
            decoder=args.decoder,
            need_images=need_images,
            **normalisation,
        )
    else:
        dataset = like.viewed(crop_size=args.crop_size, **normalisation)
    highest = int(targets_of(dataset.records).max())
    if network is not None and highest >= network.num_classes:
        raise UserError(
            f"{dataset.image_list.parent} has label {highest}, but the network's {network.num_classes} classes end at "
            f"{network.num_classes - 1}: was it trained on these classes of {args.dataset_name}?"
        )
    known = len(dataset.class_names)
    for index, (ours, theirs) in enumerate(zip(class_names or (), dataset.class_names)):
        unnamed = str(index) in (ours, theirs) and not (ours + theirs).isdecimal()  # where no file names the classes
        if ours != theirs and not unnamed:
            distributed.print0(
                f"notice: class {index} is {ours} in the checkpoint and {theirs} in {args.dataset_name} at "
                f"{args.data_root}: was it trained on these classes?"
            )
            break
    if network is not None and network.num_classes > known:
        distributed.print0(
            f"notice: the network has {network.num_classes} classes, {args.dataset_name} has {known}: "
            "was it trained on another data set?"
        )
    return dataset


def evaluation_loader(args: Config, dataset: Items, process: distributed.Process) -> DataLoader:
    """Batches of this process's share of ``dataset``, without padding."""
    return build_loader(
        dataset,
        max(1, args.batch_size // process.world_size),
        workers=args.workers,
        rank=process.rank,
        world_size=process.world_size,
        device=process.device,
    )


def resolved(args: Config) -> Config:
    """The record with the names of data set, trunk and training method as we spell them; a wrong one is an error."""
    return args.replaced(
        dataset_name=dataset_named(args.dataset_name).name,
        architecture=canonical_architecture(args.architecture),
        attribution_method=canonical_method(args.attribution_method),
    )


class Restored(NamedTuple):
    """A network out of a checkpoint, and what the file says beside its weights."""

    network: Network
    """In evaluation mode."""
    args: Config
    """The flags of the call, with those that the checkpoint states in place of their defaults."""
    path: Path
    sha256: str
    class_names: list[str] | None
    """None where the checkpoint does not say them."""


def restore(args: Config, device: torch.device) -> Restored:
    """Load ``args.load_checkpoint``, the network to ``device``.

    Flags given on the command line take precedence over what the checkpoint states, with a notice where they differ.
    """
    if not args.load_checkpoint:
        raise UserError("`load_checkpoint` is missing: name a run folder, a checkpoint file, zoo:NAME or hf:OWNER/NAME")
    path = locate_checkpoint(args.load_checkpoint, save_root=args.save_root)
    given = {key: args[key] for key in CHECKPOINT_KEYS if key in args.given}
    loaded, checksum = of_one_state(path, given)
    if len(set(distributed.gather(checksum))) > 1:
        raise UserError(f"{path}: was replaced while several processes read it; start again")
    if "dataset_name" not in loaded.config:
        raise UserError(f"{path}: does not say what its classes are; give `dataset_name`")
    if canonical_architecture(given.get("architecture", loaded.config.architecture)) != loaded.config.architecture:
        distributed.print0(f"notice: a stock classifier, read as {loaded.config.architecture} so that its scores stay")
    for key, value in loaded.overridden.items():
        distributed.print0(as_flags(f"notice: `{key}`={given[key]} overrides the checkpoint's {value}"))
    stated = {key: loaded.config[key] for key in CHECKPOINT_KEYS if key in loaded.config}
    network = laid_out(loaded.network, device, args.get("channels_last")).eval()
    if (offset := args.get("cell_offset")) is not None:
        if args.resize_alignment == "grid":
            raise UserError(f"`cell_offset`={offset} goes with `resize_alignment`=receptive_field")
        network.cell_offset = offset
    if args.compile:
        compile_in_place(network, device)
    return Restored(network, args.replaced(**stated), path, checksum, loaded.class_names)


def of_one_state(path: Path, given: Mapping[str, Any] = MappingProxyType({})) -> tuple[Loaded, str]:
    """A checkpoint, with overrides, and its SHA-256, read again where a training replaced the file in between."""
    while True:
        before = path.stat()
        loaded, checksum = load(path, **given), sha256(path)
        after = path.stat()
        if (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns):
            return loaded, checksum
