"""The accuracy of a network on a split, and what a run says of it at its end."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch.utils.data import DataLoader

from calm import distributed
from calm.data_loaders.datasets import ImageDataset
from calm.distributed import Process
from calm.engine import predict
from calm.evaluation.intervals import interval_of, means_of_images
from calm.evaluation.metrics import Accuracy, reduce
from calm.explanation.answers import Answers
from calm.explanation.cues import known_cue
from calm.explanation.map_sheet import save_map_sheet
from calm.flags import Config
from calm.networks.network import Network
from calm.runs import ensure_data, evaluation_dataset, evaluation_loader, restore, run_folder, write_results

RIGHT = "right"
"""In the details of a results file: a 1 for each image whose class is right and a 0 for the others, in order."""


class Measured(NamedTuple):
    """How often a network is right, and about what."""

    accuracy: float
    """In percent over all processes."""
    num_images: int
    answers: Answers
    """To this process's images."""


def measure_accuracy(network: Network, loader: DataLoader, process: Process, *, precision: str, title: str) -> Measured:
    """Classify the images of a loader."""
    accuracy, answers = Accuracy(), []
    name_of = cast(ImageDataset, loader.dataset).name_of  # torch leaves the type of a loader's data set open
    for batch in predict(network, loader, device=process.device, precision=precision, title=title, name_of=name_of):
        accuracy.update(batch.output.log_p_y, batch.targets)
        answers.append(Answers.of(batch))
    reduce(accuracy)
    return Measured(accuracy.compute()["accuracy"], int(accuracy.totals()[0][1]), Answers.joined(answers))


def right_in_order(answers: Answers) -> np.ndarray:
    """Whether the answer to each image of all processes is right, bool [N] in the data set's order."""
    indices, right = zip(*distributed.gather((answers.indices, answers.predicted == answers.targets)))
    return torch.cat(right)[torch.cat(indices).argsort()].numpy()


def replicates_of(right: np.ndarray) -> dict[str, np.ndarray]:
    """The accuracy [R] in percent, images drawn again.

    Args:
        right: [N], see ``right_in_order``.
    """
    return means_of_images({"accuracy": 100.0 * right})


def report(
    network: Network,
    args: Config,
    dataset: ImageDataset,
    loader: DataLoader,
    process: Process,
    *,
    folder: Path,
    checkpoint: Path,
    details: Mapping[str, Any],
    checksum: str | None = None,
    say: Callable[[str], object] = distributed.print0,
) -> None:
    """Measure the test accuracy, write it with a picture of some attribution maps, and print both.

    Args:
        network: of ``checkpoint``.
        args: recorded in the results.
        dataset: the test split.
        loader: this process's share of it.
        process: this one.
        folder: of the run.
        checkpoint: file.
        details: more to record.
        checksum: SHA-256 of ``checkpoint``, where it is known already.
        say: takes the accuracy in words, such as the run's log.
    """
    measured = measure_accuracy(network, loader, process, precision=args.precision, title="test")
    accuracy, num_images, answers = measured
    right = right_in_order(answers)
    guessing = 100 / network.num_classes
    say(f"test accuracy: {accuracy:.2f} % of {num_images} images (higher is better; guessing gets {guessing:.2f} %)")
    path = write_results(
        args,
        "accuracy",
        metrics={"accuracy": accuracy},
        intervals={name: interval_of(again) for name, again in replicates_of(right).items()},
        details={"num_images": num_images, **details, RIGHT: "".join("01"[one] for one in right.astype(int))},
        split=dataset,
        checkpoint=checkpoint,
        folder=folder,
        checksum=checksum,
    )
    distributed.print0(f"results: {path}")
    if distributed.is_main():
        picture = folder / "results" / "test_maps.png"
        cue = known_cue(args, dataset, network.num_classes)
        save_map_sheet(picture, network, dataset, answers, device=process.device, cue=cue)
        distributed.print0(f"attribution maps of test images: {picture}")


def evaluate(args: Config, process: Process) -> None:
    """The accuracy of ``args.load_checkpoint`` on the test split."""
    network, args, checkpoint, checksum, class_names = restore(args, process.device)
    ensure_data(args)
    folder = run_folder(args) if "experiment_name" in args.given else checkpoint.parent
    dataset = evaluation_dataset(args, network, "test", class_names=class_names)
    loader = evaluation_loader(args, dataset, process)
    report(network, args, dataset, loader, process, folder=folder, checkpoint=checkpoint, checksum=checksum, details={})
