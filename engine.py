"""The loops over a loader: one epoch of training, and prediction."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from calm import distributed
from calm.errors import UserError
from calm.networks.methods.base import Objective
from calm.networks.outputs import NotFinite, Output, finite_later
from calm.networks.precision import autocast
from calm.networks.shared_features import features_shared

BLOCK, LOOKS = 50, 10
"""Steps between two looks at the loss, at most, and looks in an epoch, at least; more would make a GPU wait."""


class NonFiniteLoss(UserError):
    """The loss became NaN or infinite; ``step`` counts from 1 within the epoch."""

    def __init__(self, step: int, value: float) -> None:
        super().__init__(f"the loss became {value} at step {step}")
        self.step = step


class EpochSummary(NamedTuple):
    """What one epoch of training gave, over all processes."""

    loss: float
    images_per_second: float
    seconds: float


def compile_in_place(network: nn.Module, device: torch.device, *, one_graph: bool = False) -> None:
    """torch.compile ``network``; a machine without a working compiler is found out now, on a very small function.

    ``one_graph`` refuses a network whose forward pass falls into several.
    """
    from torch._dynamo.exc import TorchDynamoException  # slow to import

    try:
        torch.compile(torch.neg)(torch.zeros(2, device=device))
    except TorchDynamoException as error:
        reason = str(error).split("\n")[0]
        raise UserError(f"`compile` does not work here ({reason}): install a compiler or leave it out") from error
    network.compile(fullgraph=one_graph)


def _check(losses: list[Tensor], last_step: int) -> list[float]:
    """Mean over the processes of each loss in the block.

    Raises:
        NonFiniteLoss: in every process, if any loss of the block in any process is not finite.
    """
    block = torch.stack(losses).double().cpu()
    distributed.all_reduce_sum([block])
    values = (block / distributed.world_size()).tolist()
    for offset, value in enumerate(values):
        if value != value or abs(value) == float("inf"):
            raise NonFiniteLoss(last_step - len(values) + offset + 1, value)
    return values


def train_step(
    network: nn.Module,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    targets: Tensor,
    *,
    precision: str,
) -> Tensor:
    """Change the network by one batch; returns the loss before the change."""
    with autocast(images.device, precision):
        loss = objective(network, images, targets)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    objective.after_step(network.module if isinstance(network, DistributedDataParallel) else network)
    return loss.detach()


def train_one_epoch(
    network: nn.Module,
    objective: Objective,
    loader: DataLoader,
    optimizer: torch.optim.Optimizer,
    *,
    device: torch.device,
    precision: str = "fp32",
    title: str = "train",
    after_step: Callable[[], None] = lambda: None,
    on_block: Callable[[int, float], None] = lambda step, loss: None,
) -> EpochSummary:
    """Train over ``loader`` once.

    Args:
        network: may be wrapped for several processes.
        objective: (network, images, targets) -> scalar; told of the network, not wrapped, after each step.
        after_step: called after each step.
        on_block: called with (step, mean loss since the last call) at each look at the loss and at the end.

    Raises:
        NonFiniteLoss: within ``BLOCK`` steps of the first loss that is NaN or infinite.
    """
    network.train()
    start, total, images_seen, step = time.perf_counter(), 0.0, 0, 0
    losses: list[Tensor] = []
    bar, block = distributed.progress(loader, title), max(1, min(BLOCK, len(loader) // LOOKS))
    for step, (images, targets, _) in enumerate(bar, start=1):
        # the layout that depthwise convolutions are quickest in; weights and activations follow the images'
        images = images.to(device, non_blocking=True, memory_format=torch.channels_last)
        targets = targets.to(device, non_blocking=True)
        losses.append(train_step(network, objective, optimizer, images, targets, precision=precision))
        after_step()
        images_seen += len(images) * distributed.world_size()
        if step % block == 0 or step == len(loader):
            values = _check(losses, step)
            losses.clear()
            total += sum(values)
            on_block(step, sum(values) / len(values))
            bar.set_postfix(loss=f"{sum(values) / len(values):.3f}")
    seconds = time.perf_counter() - start
    return EpochSummary(total / max(step, 1), images_seen / seconds, seconds)


class Prediction(NamedTuple):
    """A batch and what the network says about it, on the network's device."""

    output: Output
    images: Tensor
    targets: Tensor
    indices: Tensor


@torch.inference_mode()
def predict(
    network: nn.Module,
    loader: Iterable,
    *,
    device: torch.device,
    precision: str = "fp32",
    title: str = "predict",
    name_of: Callable[[int], str] = "image {}".format,
) -> Iterator[Prediction]:
    """Run the network over ``loader`` without gradients, in evaluation mode, and yield each batch.

    Whether outputs are finite, those of a batch and of what is made of it before the next is wanted, is asked then:
    the device is done with them. Until then the trunk's features of the batch are kept, for maps and other heads.

    Args:
        name_of: index -> name of the image, for the error.

    Raises:
        NotFinite: an output has a NaN or an infinity.
    """
    network.eval()
    for images, targets, indices in distributed.progress(loader, title):
        images, targets = images.to(device, non_blocking=True), targets.to(device, non_blocking=True)
        with finite_later() as finite, features_shared():
            with autocast(device, precision):
                output = network(images)
            if not finite.has_seen:  # a compiled network does not look
                finite.add(output)
            yield Prediction(output, images, targets, indices)
        try:
            finite.require()
        except NotFinite as error:  # of this pass, or of a later one with altered copies of the batch
            index = int(indices[error.position % len(indices)])
            raise error.named(lambda position, index=index: name_of(index)) from None
