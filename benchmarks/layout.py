"""A training step with the channels last in memory against one with the channels first, in processor time.

Prints one JSON object with the ratio for each trunk: below 1 `--channels_last` saves time.
"""

import argparse
import time
from functools import partial

import measure
import torch

from calm.networks import build_network
from calm.networks.methods import Objective, build_objective
from calm.networks.network import Network

TRUNKS = ("efficientnet_lite0", "resnet18", "resnet50", "vgg16", "inception_v3", "timm:vit_tiny_patch16_224")
CLASSES = 12


def step_of(network: Network, objective: Objective, images: torch.Tensor) -> None:
    """Loss and gradients of a batch."""
    objective(network, images, torch.arange(len(images)) % CLASSES).backward()
    network.zero_grad(set_to_none=True)


def main() -> None:
    """Both layouts in turns, one thread, the fastest of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", default=TRUNKS)
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--crop_size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    ratios = {}
    for trunk in args.architectures:
        steps = {}
        for layout in (torch.contiguous_format, torch.channels_last):
            network = build_network(trunk, "CALM_EM", CLASSES, crop_size=args.crop_size).train()
            network.to(memory_format=layout)
            images = torch.randn(args.batch_size, 3, args.crop_size, args.crop_size).contiguous(memory_format=layout)
            steps[str(layout)] = partial(step_of, network, build_objective("CALM_EM", network, {}), images)
        first, last = measure.compare(steps, repeats=args.repeats, of=min, clock=time.process_time).values()
        ratios[trunk] = round(last / first, 2)
    measure.report("layout", **vars(args), channels_last_to_first=ratios)


if __name__ == "__main__":
    main()
