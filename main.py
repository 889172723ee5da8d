"""Train one network and measure its test accuracy, or only measure the accuracy of a checkpoint.

python main.py --dataset=CUB --attribution_method=CALM_EM --experiment_name=x
python main.py --config configs/demo.yaml --epochs=10
python main.py --is_train=False --load_checkpoint=save/x/
"""

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from calm import config, distributed, errors
from calm.attribution.catalogue import resolve_name
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.datasets import build_dataset, build_loader
from calm.distributed import Process
from calm.engine import NonFiniteLoss, predict, train_one_epoch
from calm.errors import UserError
from calm.evaluation.metrics import Accuracy, reduce
from calm.explanation.map_sheet import save_map_sheet
from calm.flags import Config
from calm.networks.network import Network
from calm.runs import (
    BEST,
    LAST,
    ensure_data,
    evaluation_dataset,
    evaluation_loader,
    resolved,
    restore,
    run_folder,
    write_results,
)
from calm.training.run import Run, create_run, refuse_reuse, stored_run
from calm.training.state import Training, build_training, loss_of


def measure_accuracy(network: Network, args: Config, split: str, process: Process) -> tuple[float, int]:
    """Accuracy in percent over all processes, and the number of images."""
    loader = evaluation_loader(args, evaluation_dataset(args, network, split), process)
    accuracy = Accuracy()
    for batch in predict(network, loader, device=process.device, precision=args.precision, title=split):
        accuracy.update(batch.output.log_p_y, batch.targets)
    reduce(accuracy)
    return accuracy.compute()["accuracy"], int(accuracy.totals()[0][1])


def finish(
    network: Network,
    args: Config,
    process: Process,
    *,
    folder: Path,
    checkpoint: Path,
    details: dict,
    checksum: str | None = None,
) -> None:
    """Measure the test accuracy, write it with a picture of some attribution maps, and print both."""
    accuracy, num_images = measure_accuracy(network, args, "test", process)
    distributed.print0(f"test accuracy: {accuracy:.2f} % of {num_images} images")
    path = write_results(
        args,
        "accuracy",
        metrics={"accuracy": accuracy},
        details={"num_images": num_images, **details},
        checkpoint=checkpoint,
        folder=folder,
        checksum=checksum,
    )
    distributed.print0(f"results: {path}")
    if distributed.is_main():
        picture = folder / "results" / "test_maps.png"
        save_map_sheet(picture, network, evaluation_dataset(args, network, "test"), device=process.device)
        distributed.print0(f"attribution maps of test images: {picture}")


def evaluate(args: Config, process: Process) -> None:
    """``--is_train=False``: the accuracy of a checkpoint on the test split."""
    network, args, checkpoint, checksum, _ = restore(args, process.device)
    folder = run_folder(args) if "experiment_name" in args.given else checkpoint.parent
    finish(network, args, process, folder=folder, checkpoint=checkpoint, details={}, checksum=checksum)


def train_epoch(training: Training, args: Config, train_set, run: Run, process: Process) -> None:
    """One epoch: train, measure on val, log."""
    epoch = training.epoch + 1
    lr = training.set_learning_rate(epoch, args.lr_decay_frequency)
    torch.manual_seed(args.seed + epoch)
    loader = build_loader(
        train_set,
        args.batch_size // process.world_size,
        workers=args.workers,
        shuffle=True,
        seed=args.seed,
        epoch=epoch,
        rank=process.rank,
        world_size=process.world_size,
        pin_memory=process.device.type == "cuda",
    )
    first_step = (epoch - 1) * len(loader)
    try:
        summary = train_one_epoch(
            training.wrapped,
            loss_of(args.attribution_method),
            loader,
            training.optimizer,
            device=process.device,
            precision=args.precision,
            teacher=training.teacher,
            title=f"epoch {epoch}/{args.epochs}",
            on_block=lambda step, loss: run.record(epoch=epoch, step=first_step + step, loss=loss),
        )
    except NonFiniteLoss as error:
        last_good = f"{run.folder / LAST} (epoch {training.epoch})" if training.epoch else "none was written yet"
        raise UserError(
            f"{error} of epoch {epoch} at learning rate {lr:g}; the last good checkpoint: {last_good}; try a lower --lr"
        ) from error
    val_accuracy, _ = measure_accuracy(training.network, args, "val", process)
    training.epoch = epoch
    run.record(
        epoch=epoch,
        step=first_step + len(loader),
        train_loss=summary.loss,
        val_accuracy=val_accuracy,
        lr=lr,
        images_per_second=summary.images_per_second,
        seconds=summary.seconds,
    )
    run.log(
        f"epoch {epoch}: loss {summary.loss:.4f}, val accuracy {val_accuracy:.2f} %, lr {lr:g}, "
        f"{summary.images_per_second:.1f} images/s"
    )
    is_best = val_accuracy > training.best_accuracy
    training.best_accuracy = max(val_accuracy, training.best_accuracy)
    content = training.state(args, train_set.class_names)
    if is_best:  # before the last one: a run killed in between repeats the epoch and finds the best again
        run.save(BEST, content)
    run.save(LAST, content)


def train(args: Config, process: Process) -> None:
    """Train for ``args.epochs`` epochs, from the beginning or from the last checkpoint."""
    refuse_reuse(args)
    last = run_folder(args) / LAST
    stored, args = stored_run(args) if args.resume else (None, args)
    if args.batch_size % process.world_size:
        raise UserError(f"--batch_size={args.batch_size} cannot be shared by {process.world_size} processes evenly")
    if args.em_target == "ema" and args.attribution_method != "CALM_EM":
        raise UserError(f"--em_target=ema belongs to CALM_EM, not to {args.attribution_method}")
    num_classes = dataset_named(args.dataset_name).count_classes(args.data_root)
    if stored is not None and len(stored["class_names"]) != num_classes:
        raise UserError(f"--resume: {last} has {len(stored['class_names'])} classes, {args.data_root} {num_classes}")
    torch.manual_seed(args.seed)
    training = build_training(args, num_classes, process)
    train_set = build_dataset(
        args.dataset_name,
        "train",
        data_root=args.data_root,
        metadata_root=args.metadata_root,
        resize_size=args.resize_size,
        crop_size=args.crop_size,
        mean=training.network.mean,
        std=training.network.std,
        augment=True,
        seed=args.seed,
        proxy=args.proxy_training_set,
    )
    for split in ("val", "test"):  # a wrong folder should be found out before training, not after
        evaluation_dataset(args, training.network, split)
    if stored is not None:
        training.restore(stored)
        run = Run(last.parent, resumed_epoch=training.epoch)
    else:
        run = create_run(args)
    run.log(
        f"{args.attribution_method} {args.architecture} on {args.dataset_name}: {len(train_set)} training images, "
        f"{num_classes} classes, seed {args.seed}, {process.world_size} x {process.device.type}"
    )
    while training.epoch < args.epochs:
        train_epoch(training, args, train_set, run, process)
    details = {"epochs": training.epoch, "best_val_accuracy": training.best_accuracy}
    finish(training.network, args, process, folder=last.parent, checkpoint=last, details=details)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the flags, then train or evaluate."""
    args = resolved(config.parse(argv, "main", about=__doc__))
    resolve_name(args.score_map_process, args.score_map_method, args.attribution_method)  # may be no map: an error
    process = distributed.init()
    if args.seed is None:
        args = args.replaced(seed=distributed.gather(random.SystemRandom().randrange(2**31))[0])
    elif process.device.type == "cuda":
        torch.backends.cudnn.deterministic = True
    ensure_data(args)
    train(args, process) if args.is_train else evaluate(args, process)
    distributed.finish()


if __name__ == "__main__":
    sys.exit(errors.run(main))
