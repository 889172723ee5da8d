"""What each choice of docs/speed.md is worth on this machine's GPU: training steps a second against the plain step.

python benchmarks/gpu.py

One command, some minutes, any CUDA machine. It prints one JSON object with the card's name, and by name what it could
not run and why. On a machine without a GPU the same steps run small on the CPU, and what needs a GPU is listed as such.
"""

import argparse
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import measure
import torch
from torch import Tensor

from calm.attribution import build_attribution
from calm.data_loaders.transforms import IMAGENET_MEAN, IMAGENET_STD, normalised
from calm.engine import compile_in_place, predict, train_step
from calm.errors import UserError
from calm.evaluation.metrics import Accuracy
from calm.networks import build_network
from calm.networks.methods import build_objective
from calm.networks.precision import laid_out, settle_arithmetic
from calm.training.optimizers import build_optimizer

CLASSES = 200


class Choice(NamedTuple):
    """How a training step is taken."""

    precision: str = "fp32"
    channels_last: bool = False
    fused: bool = False
    deterministic: bool = True
    tf32: bool = False
    compiled: bool = False
    lagging: bool = False
    """theta' of EM, which adds its moving average."""
    gpu_alone: bool = False
    """Says nothing on a CPU."""


CHOICES = {
    "plain": Choice(),
    "channels_last": Choice(channels_last=True),
    "cudnn.benchmark": Choice(deterministic=False, gpu_alone=True),
    "tf32": Choice(tf32=True, gpu_alone=True),
    "fused SGD": Choice(fused=True, gpu_alone=True),
    "bf16": Choice(precision="bf16"),
    "lagging theta'": Choice(lagging=True),
    "all but compile": Choice("bf16", True, True, False, True, gpu_alone=True),
    "all and compile": Choice("bf16", True, True, False, True, True, gpu_alone=True),
}


class Setting(NamedTuple):
    """The network and the batch."""

    architecture: str
    batch: int
    side: int
    repeats: int
    device: torch.device


def step_of(choice: Choice, setting: Setting) -> Callable[[], object]:
    """One step of CALM_EM, ready to call."""
    device = setting.device
    settle_arithmetic(device, choice.precision, deterministic=choice.deterministic, tf32=choice.tf32)
    torch.manual_seed(0)
    network = build_network(setting.architecture, "CALM_EM", CLASSES)
    network = laid_out(network, device, choice.channels_last).train()
    options = {"em_target": "ema" if choice.lagging else "current"}
    objective = build_objective("CALM_EM", network, options)
    if choice.compiled:
        compile_in_place(network, device, one_graph=True)
    groups = [{"params": list(network.parameters())}]
    optimizer = build_optimizer("sgd", groups, lr=0.01, momentum=0.9, weight_decay=1e-4, fused=choice.fused)
    images = torch.randn(setting.batch, 3, setting.side, setting.side, device=device)
    targets = torch.arange(setting.batch, device=device) % CLASSES

    return partial(train_step, network, objective, optimizer, images, targets, precision=choice.precision)


def steps(setting: Setting) -> tuple[dict[str, Any], dict[str, str]]:
    """Choice -> images a second and its ratio to the plain step; and what could not run."""
    found: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    for name, choice in CHOICES.items():
        if choice.gpu_alone and setting.device.type != "cuda":
            skipped[name] = "needs a GPU"
            continue
        try:
            times = measure.compare({"step": step_of(choice, setting)}, repeats=setting.repeats)
        except (UserError, RuntimeError) as error:
            skipped[name] = str(error).split("\n")[0]
            continue
        found[name] = {"images_per_second": round(setting.batch / times["step"], 1)}
        found[name]["ratio"] = round(found[name]["images_per_second"] / found["plain"]["images_per_second"], 2)
        if setting.device.type == "cuda":
            torch.cuda.empty_cache()
    return found, skipped


def images_to_device(setting: Setting) -> dict[str, float]:
    """Milliseconds to bring a batch to the device: as bytes that are normalised there, and as floats."""
    pixels = torch.randint(0, 256, (setting.batch, 3, setting.side, setting.side), dtype=torch.uint8)
    floats = normalised(pixels, IMAGENET_MEAN, IMAGENET_STD)
    if setting.device.type == "cuda":
        pixels, floats = pixels.pin_memory(), floats.pin_memory()
    ways = {
        "bytes": lambda: normalised(pixels.to(setting.device, non_blocking=True), IMAGENET_MEAN, IMAGENET_STD),
        "floats": lambda: floats.to(setting.device, non_blocking=True).add(0),
    }
    times = measure.compare(ways, repeats=setting.repeats)
    return {name: round(1000 * seconds, 3) for name, seconds in times.items()}


def waits_per_batch(setting: Setting) -> float | str:
    """How often a pass over a test split waits for the GPU, a batch."""
    if setting.device.type != "cuda":
        return "needs a GPU"
    network = build_network(setting.architecture, "CALM_EM", CLASSES).to(setting.device).eval()
    images = torch.randn(setting.batch, 3, setting.side, setting.side, device=setting.device)
    indices = torch.arange(setting.batch)
    loader = [(images, indices.to(setting.device), indices)] * 8
    accuracy = Accuracy()
    with ExitStack() as stack, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        stack.callback(torch.cuda.set_sync_debug_mode, "default")
        for batch in predict(network, loader, device=setting.device):
            accuracy.update(batch.output.log_p_y, batch.targets)
    return sum("synchron" in str(warning.message) for warning in seen) / len(loader)


def maps(setting: Setting) -> dict[str, float]:
    """Milliseconds an image of maps that take many passes, at the size of a pass by default and eight times that."""
    network = build_network(setting.architecture, "CALM_EM", CLASSES).to(setting.device).eval()
    few = max(1, setting.batch // 8)
    images = torch.randn(few, 3, setting.side, setting.side, device=setting.device)
    targets = torch.arange(few, device=setting.device)

    def of(name: str, size: int | None) -> Callable[[], Tensor]:
        attribution = build_attribution(name, eval_batch_size=size, smooth_grad_nr_iter=16)
        return lambda: attribution(network, images, targets)

    ways = {f"{name}, {size or 'default'}": of(name, size) for name in ("smoothgrad", "gradcam") for size in (None, 64)}
    times = measure.compare(ways, repeats=max(1, setting.repeats // 4))
    return {name: round(1000 * seconds / few, 2) for name, seconds in times.items()}


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="resnet50" if on_gpu else "resnet18")
    parser.add_argument("--batch_size", type=int, default=64 if on_gpu else 4)
    parser.add_argument("--crop_size", type=int, default=224 if on_gpu else 64)
    parser.add_argument("--repeats", type=int, default=20 if on_gpu else 3)
    args = parser.parse_args(words)
    device = torch.device("cuda" if on_gpu else "cpu")
    setting = Setting(args.architecture, args.batch_size, args.crop_size, args.repeats, device)
    found, skipped = steps(setting)
    figures = {
        "setting": vars(args),
        "training_step": found,
        "not_run": skipped,
        "milliseconds_to_device": images_to_device(setting),
        "waits_per_batch": waits_per_batch(setting),
        "milliseconds_of_a_map": maps(setting),
        "auto_precision": settle_arithmetic(device, "auto", deterministic=False, tf32=False),
    }
    measure.report("gpu", **figures)
    return figures


if __name__ == "__main__":
    main()
