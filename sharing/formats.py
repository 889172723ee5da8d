"""A network as a file of another framework: images in, probabilities and maps of every class out, by name."""

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from calm.atomic import replacing, write_text
from calm.errors import UserError, require
from calm.networks.network import Network

IMAGES = "images"
"""Name of the input, [B,3,S,S] normalised; B is free."""
TOLERANCE = 1e-4
"""Largest difference of an output from the network's, relative to its largest value."""


class NamedOutputs(nn.Module):
    """A network whose forward pass gives what people read of it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        network.must_be_finite = False  # asking depends on the data, which a file cannot
        self.network = network
        self.names = ("joint", "prior", "probabilities") if network.head.uses_prior else ("class_maps", "probabilities")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """[B,3,S,S] -> joint p(y,z|x) [B,K,h,w] and prior p(z|x) [B,h,w], or class maps; probabilities p(y|x) [B,K]."""
        output = self.network(images)
        if not output.has_prior:
            return {"class_maps": output.class_maps, "probabilities": output.log_p_y.exp()}
        joint = output.log_joint.exp()  # its sum is p(y|x); log_p_y goes image by image, and B is to be free
        return {"joint": joint, "prior": output.log_p_z_given_x[:, 0].exp(), "probabilities": joint.sum(dim=(2, 3))}


def _to_onnx(module: NamedOutputs, images: Tensor, path: Path) -> None:
    require("onnx", extra="export")
    require("onnxscript", extra="export")
    torch.onnx.export(
        module,
        (images,),
        path,
        input_names=[IMAGES],
        output_names=list(module.names),
        dynamic_shapes={IMAGES: {0: torch.export.Dim("batch")}},
        external_data=False,
        verbose=False,
    )


def _to_torchscript(module: NamedOutputs, images: Tensor, path: Path) -> None:
    torch.jit.trace(module, images, strict=False).save(path)  # strict refuses a dict of outputs


def _to_pt2(module: NamedOutputs, images: Tensor, path: Path) -> None:
    program = torch.export.export(module, (images,), dynamic_shapes={IMAGES: {0: torch.export.Dim("batch")}})
    torch.export.save(program, path)


Outputs = dict[str, np.ndarray]


def _run_onnx(path: Path, images: Tensor) -> Outputs:
    require("onnxruntime", extra="export")
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    try:
        values = session.run(names, {IMAGES: images.numpy()})
    except Exception as error:  # onnxruntime's errors have no class in common
        raise RuntimeError(f"onnxruntime: {error}") from error
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _as_arrays(outputs: dict[str, Tensor]) -> Outputs:
    return {name: value.detach().numpy() for name, value in outputs.items()}


class Format(NamedTuple):
    """How a network gets into a file of a framework, and how that runs it."""

    suffix: str
    write: Callable[[NamedOutputs, Tensor, Path], None]
    run: Callable[[Path, Tensor], Outputs]


FORMATS: dict[str, Format] = {
    "onnx": Format(".onnx", _to_onnx, _run_onnx),
    "torchscript": Format(".pt", _to_torchscript, lambda path, images: _as_arrays(torch.jit.load(path)(images))),
    "pt2": Format(".pt2", _to_pt2, lambda path, images: _as_arrays(torch.export.load(path).module()(images))),
}


@torch.no_grad()
def export(
    network: Network, form: str, path: Path, *, size: int, class_names: Sequence[str] | None, sha256: str
) -> float:
    """Write ``path``, which is run before it is kept, and ``<path>.json``, which says what goes in and comes out.

    Args:
        network: in evaluation mode, on the CPU.
        form: a name in ``FORMATS``.
        path: of the file.
        size: side S of the images.
        class_names: of the K classes, where they are known.
        sha256: of the checkpoint that the network is from.

    Returns:
        The largest difference of an output from the network's, relative to its largest value.

    Raises:
        UserError: a package is not installed, or the framework cannot take this network, or computes something else.
    """
    from torch._dynamo.exc import TorchDynamoException  # slow to import

    module, forms = NamedOutputs(network).eval(), FORMATS[form]
    images = torch.randn(5, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with replacing(path) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporters' own, of things that are so on purpose
            temporary.touch()  # a place that cannot be written is said as one, in no exporter's words
            forms.write(module, images[:2], temporary)
            difference = _difference(forms.run(temporary, images), module(images))
            if not difference <= TOLERANCE:
                raise UserError(
                    f"{path.name}: its outputs differ from the network's by {difference:.1e} of their maximum"
                )
    except (RuntimeError, NotImplementedError, TypeError, TorchDynamoException) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(
            f"{network.architecture} with {network.method} cannot be exported to {form} ({reason})"
        ) from error
    description = {"checkpoint": {"sha256": sha256}, **_description(module, size, class_names)}
    write_text(path.with_name(f"{path.name}.json"), json.dumps(description, indent=1) + "\n")
    return difference


def _difference(found: Outputs, wanted: dict[str, Tensor]) -> float:
    if set(found) != set(wanted):
        raise RuntimeError(f"the file's outputs are {', '.join(found)}")
    return max(
        float(np.abs(found[name] - value.numpy()).max() / value.abs().max().clamp_min(1e-30))
        for name, value in wanted.items()
    )


def _description(module: NamedOutputs, size: int, class_names: Sequence[str] | None) -> dict[str, Any]:
    network = module.network
    return {
        "input": {
            "name": IMAGES,
            "shape": ["batch", 3, size, size],
            "channels": "RGB, (value / 255 - mean) / std",
            "mean": list(network.mean),
            "std": list(network.std),
        },
        "outputs": list(module.names),
        "class_names": None if class_names is None else list(class_names),
    }
