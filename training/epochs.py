"""A training run from its first epoch, or the first that is missing, to its last."""

from typing import cast

import torch

from calm import distributed
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.imagenet_classes import check_imagenet_classes
from calm.data_loaders.loaders import TrainingOrder
from calm.distributed import Process
from calm.engine import NonFiniteLoss, train_one_epoch
from calm.errors import UserError
from calm.explanation.map_strip import map_strip
from calm.flags import Config
from calm.networks.precision import settle_arithmetic
from calm.networks.weight_files import first_not_finite
from calm.runs import BEST, LAST, run_folder
from calm.training.accuracy import measure_accuracy, report
from calm.training.loading import Loaders, batch_sizes, build_loaders, build_splits
from calm.training.resume import ReadConfig, resumed
from calm.training.run import CONFIG, Run, create_run, refuse_reuse, resume_run, run_lock
from calm.training.state import Training, build_training, check_batches


def last_good(training: Training, run: Run) -> str:
    """The last checkpoint that was written, in words."""
    return f"{run.folder / LAST} (epoch {training.epoch})" if training.epoch else "none was written yet"


def train_epoch(training: Training, args: Config, loaders: Loaders, run: Run, process: Process) -> None:
    """One epoch: train, measure on val, log, save."""
    epoch = training.epoch + 1
    lr = training.learning_rate
    torch.manual_seed(args.seed + epoch)
    cast(TrainingOrder, loaders.train.sampler).set_epoch(epoch)
    first_step = (epoch - 1) * len(loaders.train)
    try:
        summary = train_one_epoch(
            training.wrapped,
            training.objective,
            loaders.train,
            training.optimizer,
            device=process.device,
            precision=args.precision,
            title=f"epoch {epoch}/{args.epochs}",
            after_step=training.after_step,
            on_block=lambda step, loss: run.record(epoch=epoch, step=first_step + step, loss=loss),
        )
    except NonFiniteLoss as error:
        raise UserError(
            f"{error} of epoch {epoch} at learning rate {lr:g}; the last good checkpoint: "
            f"{last_good(training, run)}; try a lower `lr`"
        ) from error
    training.share()
    broken = first_not_finite(training.network.state_dict())
    if broken is not None:
        raise UserError(
            f"after epoch {epoch} at learning rate {lr:g} the values of {broken} are not finite; the last good "
            f"checkpoint: {last_good(training, run)}; try a lower `lr`"
        )
    measured = measure_accuracy(training.evaluated, loaders.val, process, precision=args.precision, title="val")
    val_accuracy = measured.accuracy
    training.epoch, seen = epoch, first_step + len(loaders.train)
    run.record(
        epoch=epoch,
        step=seen,
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
    run.picture("maps of validation images", seen, lambda: map_strip(training.evaluated, *loaders.shown))
    is_best = val_accuracy > training.best_accuracy
    training.best_accuracy = max(val_accuracy, training.best_accuracy)
    content = training.state(args, loaders.train_set.class_names)
    if is_best:  # before the last one: a run killed in between repeats the epoch and finds the best again
        run.save(BEST, content)
    run.save(LAST, content)


def train(args: Config, process: Process, *, read_config: ReadConfig) -> None:
    """Train for ``args.epochs`` epochs, from the beginning or from the last checkpoint, and report.

    Args:
        args: flags of the run.
        process: this one.
        read_config: reads the config.yaml of a run to resume.
    """
    with run_lock(args):
        _train(args, process, read_config)


def _train(args: Config, process: Process, read_config: ReadConfig) -> None:
    if distributed.is_restarted() and (run_folder(args) / CONFIG).is_file():
        args = args.replaced(resume=True, override_cache=False)
    refuse_reuse(args)
    last = run_folder(args) / LAST
    args, stored = resumed(args, read_config) if args.resume else (args, None)
    settle_arithmetic(process.device, args.precision, deterministic=args.deterministic, tf32=args.tf32)
    if args.batch_size % process.world_size:
        raise UserError(f"`batch_size`={args.batch_size} cannot be shared by {process.world_size} processes evenly")
    num_classes = dataset_named(args.dataset_name).count_classes(args.data_root)
    if stored is not None and len(stored["class_names"]) != num_classes:
        raise UserError(f"`resume`: {last} has {len(stored['class_names'])} classes, {args.data_root} {num_classes}")
    splits = build_splits(args)
    torch.manual_seed(args.seed)
    training = build_training(args, num_classes, process)
    loaders = build_loaders(args, splits, training.network, process)
    if args.pretrained_classifier and stored is None:
        check_imagenet_classes(dataset_named(args.dataset_name), args.data_root, loaders.train_set.records)
    check_batches(training, *batch_sizes(loaders.train), args.crop_size)
    if stored is not None:
        training.restore(stored)
    training.plan(args, len(loaders.train))
    run = create_run(args) if stored is None else resume_run(args, training.epoch)
    run.describe(args)
    run.log(
        f"{args.attribution_method} {args.architecture} on {args.dataset_name}: {len(loaders.train_set)} training "
        f"images, {num_classes} classes, seed {args.seed}, {process.world_size} x {process.device.type}, "
        f"{args.precision}"
    )
    while training.epoch < args.epochs:
        train_epoch(training, args, loaders, run, process)
    details = {"epochs": training.epoch, "best_val_accuracy": training.best_accuracy}
    report(
        training.evaluated,
        args,
        loaders.test_set,
        loaders.test,
        process,
        folder=last.parent,
        checkpoint=last,
        details=details,
        say=run.log,
    )
