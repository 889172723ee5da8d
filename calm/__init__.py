"""CALM, class activation latent mapping: the one import name of the package.

    network = calm.load("save/demo/")
    [explanation] = network.explain(Image.open("bird.jpg"))
    maps = calm.attribute("joint", network, network.transform(pictures), targets)
    ratios = calm.metrics.remove_and_classify(network, images, targets, maps)

In a checkout the rooms (``networks/``, ``attribution/``, ...) and root modules lie beside this folder and are found
there as ``calm.networks``, ``calm.config``, ...; an installed package holds them in here. The functions are imported
when they are asked for, so that importing the package is quick.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calm.library import attribute, explain, load

__all__ = ["attribute", "explain", "load"]

_HERE = Path(__file__).resolve().parent
if not (_HERE / "networks").is_dir():
    __path__.append(str(_HERE.parent))


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("calm.metrics")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("calm.library"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
