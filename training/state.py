"""What a training run is made of: network, optimizer, objective, and their state in a checkpoint."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from calm import distributed
from calm.distributed import Process
from calm.engine import compile_in_place
from calm.errors import UserError
from calm.flags import Config, recorded
from calm.networks.build import network_of
from calm.networks.checkpoint import load_matching
from calm.networks.checkpoint_files import FORMAT_VERSION
from calm.networks.methods import Objective, build_objective
from calm.networks.network import Network
from calm.networks.parameter_groups import parameter_groups
from calm.networks.precision import laid_out
from calm.training.optimizers import build_optimizer, build_scheduler
from calm.training.schedules import Course

TRAINED = "trained_state_dict"
"""Entry of a checkpoint for the weights that go on learning, where its state_dict holds their moving average."""


@dataclass
class Training:
    """Everything that changes while training, and what it takes to train."""

    network: Network
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    objective: Objective
    average: AveragedModel | None = None
    """Moving average of the network's weights and batch-norm statistics, where one is asked for."""
    scheduler: LRScheduler | None = None
    """See ``plan``."""
    epoch: int = 0
    best_accuracy: float = -1.0

    @property
    def evaluated(self) -> Network:
        """What is measured, and what a checkpoint is of: the moving average, or else the network itself."""
        return self.network if self.average is None else cast(Network, self.average.module)

    @property
    def learning_rate(self) -> float:
        """Of the next step, for the first group: the trunk's, or the head's where the trunk is frozen."""
        return self.optimizer.param_groups[0]["lr"]

    def plan(self, args: Config, steps: int) -> None:
        """Set the learning rates' course from the epoch that was reached to the last one, of ``steps`` steps each."""
        course = Course(steps, args.epochs, args.warmup_epochs, args.lr_decay_frequency)
        self.scheduler = build_scheduler(self.optimizer, schedule=args.schedule, course=course, epoch=self.epoch)

    def after_step(self) -> None:
        """Follow the network with its average, and go on to the next step's learning rates."""
        if self.average is not None:
            self.average.update_parameters(self.network)
        if self.scheduler is not None:
            self.scheduler.step()

    def state(self, args: Config, class_names: Sequence[str]) -> dict[str, Any]:
        """A checkpoint's content: the released four entries and ours; plain containers and tensors only."""
        return {
            "architecture": args.architecture,
            "epoch": self.epoch,
            "state_dict": self.evaluated.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "format_version": FORMAT_VERSION,
            "config": recorded(args),
            "class_names": list(class_names),
            "best_accuracy": self.best_accuracy,
            **({} if self.average is None else {TRAINED: self.network.state_dict()}),
            **self.objective.state_dict(),
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Continue from ``state``.

        Raises:
            UserError: what is there belongs to another network or optimizer.
        """
        try:
            self.evaluated.load_state_dict(content["state_dict"])
            if self.average is not None:
                self.network.load_state_dict(content[TRAINED])
                self.average.n_averaged.fill_(1)  # 0 would make the next step a copy; the number does not matter else
            self.optimizer.load_state_dict(content["optimizer"])
            self.objective.load_state_dict(content)
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            reason = str(error).split("\n")[0]
            raise UserError(f"`resume`: the checkpoint's state does not fit its own flags ({reason})") from error
        self.epoch, self.best_accuracy = content["epoch"], content["best_accuracy"]

    def share(self) -> None:
        """Give every process what the checkpoint will hold: rank 0's batch-norm statistics and objective's state.

        Parameters are the same already. On a CPU the statistics are each process's own, of its share of the batches.
        """
        average = [] if self.average is None else self.average.module.buffers()
        distributed.share([*self.network.buffers(), *average, *tensors_in(self.objective.state_dict())])


def tensors_in(content: Any) -> Iterator[Tensor]:
    """Every tensor of nested mappings and lists, in order."""
    if isinstance(content, Tensor):
        yield content
    elif isinstance(content, (Mapping, list, tuple)):
        for item in content.values() if isinstance(content, Mapping) else content:
            yield from tensors_in(item)


def check_batches(training: Training, full: int, last: int, size: int) -> None:
    """Find out before the first epoch whether the method trains on a full batch, and the network on the last one.

    Batch norm cannot train on a single value a channel, and a small image may not survive every pooling.

    Args:
        training: left as it is.
        full: images of a full batch.
        last: images of the last batch of an epoch, the smallest.
        size: of an image's side, pixels.

    Raises:
        UserError: it does not.
    """
    training.objective.check(full, size)
    network = copy.deepcopy(training.network).train()
    batch = torch.zeros(last, 3, size, size, device=next(network.parameters()).device)
    try:
        with torch.no_grad(), torch.random.fork_rng():
            network(batch, batch.new_zeros(last, dtype=torch.long))
    except (RuntimeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise UserError(
            f"`crop_size`={size}: the network cannot train on a batch of {last} such images, as there will be "
            f"({reason}); raise `crop_size` or choose another `batch_size`"
        ) from error


def initial_network(args: Config, num_classes: int) -> Network:
    """Build the network, from ``load_checkpoint`` where given, else from ImageNet weights if ``pretrained``."""
    load_from = args.load_checkpoint if not args.resume else None
    if args.pretrained_classifier and (load_from is not None or not args.pretrained):
        raise UserError(
            "`pretrained_classifier` is of ImageNet weights: it goes with `pretrained` and no `load_checkpoint`"
        )
    network = network_of(
        args,
        num_classes,
        pretrained=args.pretrained and load_from is None and not args.resume,
        pretrained_path=args.pretrained_path,
        pretrained_classifier=args.pretrained_classifier,
    )
    if load_from is not None:
        skipped = network.head.class_layers if args.is_different_checkpoint else ()
        load_matching(network, load_from, save_root=args.save_root, skip=tuple(f"{layer}." for layer in skipped))
    return network


def moving_average(network: Network, decay: float | None) -> AveragedModel | None:
    """A copy that follows the weights and batch-norm statistics as an average with this decay; None without one."""
    if decay is None:
        return None
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    return average.eval().requires_grad_(False)


def build_training(args: Config, num_classes: int, process: Process) -> Training:
    """Network, optimizer and objective on this process's device, wrapped for several processes where there are any."""
    network = laid_out(initial_network(args, num_classes), process.device, args.channels_last)
    if args.freeze_trunk:
        network.freeze_trunk()
    average = moving_average(network, args.model_ema_decay)
    objective = build_objective(args.attribution_method, network, args)
    if process.world_size > 1 and process.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    if args.compile:
        compile_in_place(network, process.device, one_graph=True)
    groups = parameter_groups(
        network,
        lr=args.lr,
        classifier_ratio=args.lr_classifier_ratio,
        rule=args.param_groups,
        all_trunk_at_lr=args.is_different_checkpoint,
    )
    on_gpu = process.device.type == "cuda"
    options = {"lr": args.lr, "momentum": args.momentum, "weight_decay": args.weight_decay}
    optimizer = build_optimizer(args.optimizer, groups, **options, fused=on_gpu)
    wrapped = network
    if process.world_size > 1:
        devices = [process.device.index] if on_gpu else None
        wrapped = DistributedDataParallel(network, device_ids=devices, gradient_as_bucket_view=True)
    return Training(network, wrapped, optimizer, objective, average)
