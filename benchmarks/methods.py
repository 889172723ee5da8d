"""A training step of every method as a ratio to CAM's, and the memory that training with it needs beside CAM's.

Prints one JSON object. A step is forward, loss, backward, optimizer and what the method does after it. All methods take
turns in one process, and the fastest of each method's steps counts; memory is the peak of building a network and
training two steps, in a process of its own.
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import measure
import torch

from calm.engine import train_step
from calm.networks import METHODS, build_network
from calm.networks.methods import build_objective

VARIANTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    **{method: (method, {}) for method in METHODS if "_CALM_" not in method},
    "CALM_EM, --em_target=ema": ("CALM_EM", {"em_target": "ema"}),
    "CAM, --gradient_loss=cosine": ("CAM", {"gradient_loss": "cosine"}),
}
"""Row -> (training method, options of its objective). HaS and CutMix cost with CALM what they cost with CAM."""


def step_of(variant: str, args: argparse.Namespace) -> Callable[[], object]:
    """A network in training mode with its optimizer, as a function that trains one step on the same batch."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    method, options = VARIANTS[variant]
    torch.manual_seed(0)
    network = build_network(args.architecture, method, args.num_classes).to(device).train()
    objective = build_objective(method, network, options)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, nesterov=True)
    images = torch.randn(args.batch_size, 3, args.crop_size, args.crop_size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.randint(0, args.num_classes, (args.batch_size,), device=device)

    return partial(train_step, network, objective, optimizer, images, targets, precision="fp32")


def train_two_steps(variant: str, args: argparse.Namespace) -> None:
    """Weights, gradients, momentum, a teacher where there is one, and the activations of a step."""
    step = step_of(variant, args)
    step()
    step()


def peaks(args: argparse.Namespace) -> dict[str, float]:
    """Peak memory in MiB of training with each method."""
    measure.give_blocks_back()
    found = {}
    train_two_steps("CAM", args)  # what the first step loads is no method's
    for variant in VARIANTS:
        gc.collect()
        found[variant] = measure.peak_bytes(partial(train_two_steps, variant, args)) / 2**20
    return found


def main() -> None:
    """Steps of all methods in turns, then their memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="resnet18")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--crop_size", type=int, default=112)
    parser.add_argument("--num_classes", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--peaks", action="store_true", help="memory alone, as this script asks itself")
    args = parser.parse_args()
    if args.peaks:
        print(json.dumps(peaks(args)))
        return
    steps = {variant: step_of(variant, args) for variant in VARIANTS}
    times = measure.compare(steps, repeats=args.repeats, of=min, clock=measure.own_clock())
    memory = measure.in_fresh_process(__file__, *sys.argv[1:], "--peaks")
    measure.report(
        "methods",
        **{name: value for name, value in vars(args).items() if name != "peaks"},
        seconds_of_a_cam_step=round(times["CAM"], 4),
        peak_mib_of_cam=round(memory["CAM"], 1),
        time_ratio={variant: round(times[variant] / times["CAM"], 2) for variant in VARIANTS},
        memory_ratio={variant: round(memory[variant] / memory["CAM"], 2) for variant in VARIANTS},
    )


if __name__ == "__main__":
    main()
