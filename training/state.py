"""What a training run is made of: network, optimizer, teacher, and their state in a checkpoint."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from calm.distributed import Process
from calm.engine import compile_in_place
from calm.errors import UserError
from calm.flags import Config, flags_of, recorded
from calm.networks import METHODS, build_network
from calm.networks.checkpoint import FORMAT_VERSION, load_matching
from calm.networks.network import Network
from calm.networks.parameter_groups import parameter_groups
from calm.networks.teacher import Teacher


@dataclass
class Training:
    """Everything that changes while training, and what it takes to train."""

    network: Network
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    teacher: Teacher | None
    epoch: int = 0
    best_accuracy: float = -1.0

    def set_learning_rate(self, epoch: int, decay_frequency: int) -> float:
        """x0.1 at the start of epochs f, 2f, ... (counted from 1); returns the trunk's learning rate."""
        factor = 0.1 ** (epoch // decay_frequency)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        return self.optimizer.param_groups[0]["lr"]

    def state(self, args: Config, class_names: list[str]) -> dict[str, Any]:
        """A checkpoint's content: the released four entries and ours; plain containers and tensors only."""
        content = {
            "architecture": args.architecture,
            "epoch": self.epoch,
            "state_dict": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "format_version": FORMAT_VERSION,
            "config": recorded(args),
            "class_names": list(class_names),
            "best_accuracy": self.best_accuracy,
        }
        if self.teacher is not None:
            content["teacher_state_dict"] = self.teacher.average.state_dict()
        return content

    def restore(self, content: dict[str, Any]) -> None:
        """Continue from ``state``."""
        self.network.load_state_dict(content["state_dict"])
        self.optimizer.load_state_dict(content["optimizer"])
        if self.teacher is not None:
            self.teacher.average.load_state_dict(content["teacher_state_dict"])
        self.epoch, self.best_accuracy = content["epoch"], content["best_accuracy"]


def take_over_config(args: Config, stored: dict[str, Any], source: Path) -> Config:
    """On --resume the run's own flags hold; a flag given with another value is refused unless it may change."""
    own = {}
    for name, value in stored.items():
        flag = flags_of().get(name)
        if flag is None or flag.on_resume == "call" or (flag.on_resume == "free" and name in args.given):
            continue
        if name in args.given and args[name] != value:
            raise UserError(f"--resume: --{name}={args[name]} differs from {value} in {source}; leave the flag out")
        own[name] = value
    return args.replaced(**own)


def initial_network(args: Config, num_classes: int) -> Network:
    """Build the network, from --load_checkpoint where given, else from ImageNet weights if --pretrained."""
    load_from = args.load_checkpoint if not args.resume else None
    network = build_network(
        args.architecture,
        args.attribution_method,
        num_classes,
        large_feature_map=args.large_feature_map,
        use_bn=args.use_bn,
        prior_activation=args.prior_activation,
        detach_prior_sum=args.detach_prior_sum,
        inception_tap=args.inception_tap,
        pretrained=args.pretrained and load_from is None and not args.resume,
        pretrained_path=args.pretrained_path,
    )
    if load_from is not None:
        skipped = ("conv_last.",) if args.is_different_checkpoint else ()
        load_matching(network, load_from, save_root=args.save_root, skip=skipped)
    return network


def build_training(args: Config, num_classes: int, process: Process) -> Training:
    """Network, optimizer and teacher on this process's device, wrapped for several processes where there are any."""
    network = initial_network(args, num_classes).to(process.device)
    average = copy.deepcopy(network) if args.em_target == "ema" else None
    if process.world_size > 1 and process.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    if args.compile:
        compile_in_place(network, process.device)
    optimizer = torch.optim.SGD(
        parameter_groups(
            network,
            lr=args.lr,
            classifier_ratio=args.lr_classifier_ratio,
            rule=args.param_groups,
            all_trunk_at_lr=args.is_different_checkpoint,
        ),
        lr=args.lr,
        momentum=args.momentum,
        weight_decay=args.weight_decay,
        nesterov=args.momentum > 0,
    )
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    on_gpu = process.device.type == "cuda"
    wrapped = network
    if process.world_size > 1:
        wrapped = DistributedDataParallel(network, device_ids=[process.device.index] if on_gpu else None)
    return Training(network, wrapped, optimizer, None if average is None else Teacher(average, args.em_momentum))


def loss_of(method: str):
    """(output, targets[, teacher's posterior]) -> scalar."""
    return METHODS[method][1]
