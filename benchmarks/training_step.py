"""A training step of each method against its bare trunk: forward and backward of trunk, global pooling and a linear.

All take turns in one process and the fastest of each counts; processor time on a CPU.
"""

import argparse
from functools import partial

import measure
import torch
import torch.nn.functional as F
from torch import nn

from calm.networks import METHODS, build_network
from calm.networks.methods import Objective, build_objective


class BareTrunk(nn.Module):
    """features -> mean over the cells -> linear: the classifier CALM is compared with."""

    def __init__(self, network: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.network = network
        self.linear = nn.Linear(network.channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(self.network.features(images).mean(dim=(2, 3)))


def main() -> None:
    """Steps per method in turns; report each as a ratio to the bare trunk's."""
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="resnet50")
    parser.add_argument("--batch_size", type=int, default=64 if on_gpu else 4)
    parser.add_argument("--crop_size", type=int, default=224)
    parser.add_argument("--num_classes", type=int, default=200)
    parser.add_argument("--large_feature_map", action="store_true")
    parser.add_argument("--repeats", type=int, default=20 if on_gpu else 3)
    args = parser.parse_args()
    device = torch.device("cuda" if on_gpu else "cpu")
    torch.manual_seed(0)
    images = torch.randn(args.batch_size, 3, args.crop_size, args.crop_size, device=device)
    targets = torch.randint(0, args.num_classes, (args.batch_size,), device=device)

    def step_of(network: nn.Module, objective: Objective) -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=on_gpu):
            loss = objective(network, images, targets)
        network.zero_grad(set_to_none=True)
        loss.backward()
        objective.after_step(network)

    def build(method: str) -> nn.Module:
        options = {"large_feature_map": args.large_feature_map}
        return build_network(args.architecture, method, args.num_classes, **options).to(device).train()

    networks = {method: build(method) for method in METHODS}
    bare = BareTrunk(build("CAM"), args.num_classes).to(device)
    objectives = {method: build_objective(method, network, {}) for method, network in networks.items()}
    steps = {"bare": partial(step_of, bare, Objective(F.cross_entropy, bare))}
    steps |= {method: partial(step_of, networks[method], objectives[method]) for method in METHODS}
    times = measure.compare(steps, repeats=args.repeats, of=min, clock=measure.own_clock())
    measure.report(
        "training_step",
        **vars(args),
        precision="bf16" if on_gpu else "fp32",
        images_per_second={name: round(args.batch_size / seconds, 2) for name, seconds in times.items()},
        ratio_to_bare_trunk={name: round(times[name] / times["bare"], 3) for name in METHODS},
    )


if __name__ == "__main__":
    main()
