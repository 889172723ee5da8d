"""What is trained: networks of real and of drawn birds, with their flags and the minutes on one core."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from calm.networks import METHODS

Flags = Mapping[str, object]

BIRDS: Flags = {
    "dataset": "CUB",
    "architecture": "efficientnet_lite0",
    "resize_size": 144,
    "crop_size": 128,
    "batch_size": 32,
    "epochs": 3,
    "schedule": "cosine",
    "lr": 0.01,
}
"""Real birds: the pretrained trunk, 128 px, a grid of 8x8 cells."""
SHARP: Flags = {"prior_temperature": 0.1}
"""A softplus prior near the ReLU prior."""
FINE: Flags = {"large_feature_map": True}
"""A grid of 16x16 cells."""
LARGE: Flags = {"resize_size": 216, "crop_size": 192}
"""Pictures of 192 px on cells of as many pixels: a grid of 12x12. The photographs have 227."""
SYNTHETIC: Flags = {**BIRDS, "dataset": "SynthBirds", "epochs": 6}
RELU: Flags = {"prior_activation": "relu", "detach_prior_sum": True}
LAGGING: Flags = {"em_target": "ema", "em_momentum": 0.99}
TABLE_3: Mapping[str, tuple[float, Flags]] = {
    "HaS": (8, {}),
    "CutMix": (8, {}),
    "ADL": (8, {}),
    "SPG": (8, {"lr": 0.001}),  # its losses are not finite at ten times this rate
    "ACoL": (36, {}),
}
"""Training methods of the paper's Table 3, each on one seed: their minutes, and their own flags."""
WIDE: Flags = {"has_grid_size": 32}
"""HaS with squares as wide as the largest of its authors, 56 px of 224, instead of the benchmark's 4 px."""
REDUCED: Flags = {"epochs": 1, "crop_size": 64, "resize_size": 72}
"""What --reduced changes of a training: enough to see every step run, nothing to learn from."""
REDUCED_IMAGES = 24


class Network(NamedTuple):
    """A network to train, once a seed."""

    name: str
    method: str
    common: Flags
    own: Flags
    """What it has beyond the common flags; nothing that is searched changes it."""
    seeds: tuple[int, ...]
    minutes: float
    tuned_as: str | None = None
    """The network of the search whose chosen flags it takes."""
    after: str | None = None
    """The network of which it starts, of the same seed; None for ImageNet weights."""
    beside: str = ""
    """The CAM that started as it did, on the same grid; itself where it is that."""

    @property
    def has_prior(self) -> bool:
        """Whether it has CALM's maps."""
        return METHODS[self.method].needs_prior

    @property
    def default_map(self) -> str:
        """The map that is compared."""
        return "joint" if self.has_prior else "cam"


def _birds(
    name: str,
    method: str,
    own: Flags = MappingProxyType({}),
    *,
    seeds: tuple[int, ...] = (0, 1, 2),
    minutes: float = 8,
    after: str | None = None,
    beside: str = "CAM",
) -> Network:
    calm = "CALM_EM_relu" if RELU.items() <= own.items() else "CALM_EM"
    tuned_as = calm if METHODS[method].needs_prior else "CAM"
    return Network(f"birds_{name}", method, BIRDS, own, seeds, minutes, tuned_as, after, f"birds_{beside}")


def _started(start: str, common: Flags, *, minutes: float) -> Iterator[Network]:
    """Networks that start from a trained CAM, and CAM trained as long."""
    for name, method, own in (("CAM", "CAM", {}), ("CALM_EM", "CALM_EM", {}), ("CALM_EM_relu", "CALM_EM", RELU)):
        flags, beside = {**own, **common}, f"{start}_then_CAM"
        full = f"{start}_then_{name}"
        yield _birds(full, method, flags, seeds=(0,), minutes=minutes, after=f"birds_{start}", beside=beside)


def _drawn(name: str, method: str, own: Flags = MappingProxyType({})) -> Network:
    return Network(f"SynthBirds_{name}", method, SYNTHETIC, own, (0,), 4)


NETWORKS = (
    _birds("CAM", "CAM"),
    _birds("CALM_EM", "CALM_EM"),
    _birds("CALM_EM_relu", "CALM_EM", RELU),
    _birds("CALM_ML", "CALM_ML"),
    _birds("CALM_EM_ema", "CALM_EM", LAGGING, minutes=9),
    _birds("CALM_EM_sharp", "CALM_EM", SHARP, seeds=(0,)),
    _birds("CAM_16x16", "CAM", FINE, seeds=(0,), minutes=30, beside="CAM_16x16"),
    _birds("CALM_EM_16x16", "CALM_EM", FINE, seeds=(0,), minutes=30, beside="CAM_16x16"),
    _birds("CALM_EM_relu_16x16", "CALM_EM", {**RELU, **FINE}, seeds=(0,), minutes=30, beside="CAM_16x16"),
    _birds("CAM_192", "CAM", LARGE, seeds=(0,), minutes=20, beside="CAM_192"),
    _birds("CALM_EM_192", "CALM_EM", LARGE, seeds=(0,), minutes=22, beside="CAM_192"),
    *_started("CAM", {}, minutes=8),
    *_started("CAM_192", LARGE, minutes=20),
    *(_birds(method, method, own, seeds=(0,), minutes=minutes) for method, (minutes, own) in TABLE_3.items()),
    _birds("HaS_32px", "HaS", WIDE, seeds=(0,)),
    _drawn("CAM", "CAM"),
    _drawn("CALM_EM", "CALM_EM"),
    _drawn("CALM_EM_relu", "CALM_EM", RELU),
)
"""A network that starts from another one's stands after it."""


class Training(NamedTuple):
    """One training of a network."""

    network: Network
    seed: int
    flags: Flags
    minutes: float

    @property
    def run(self) -> str:
        """The name of its run folder."""
        return f"{self.network.name}_s{self.seed}"

    @property
    def starts_from(self) -> str | None:
        """The run folder whose weights it starts from; None for ImageNet weights."""
        return self.network.after and f"{self.network.after}_s{self.seed}"


def trainings(
    *, reduced: bool = False, chosen: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> Iterator[Training]:
    """Every training; one seed of all networks before the next seed.

    Args:
        reduced: minutes instead of hours.
        chosen: network of the search -> its trial that won.
    """
    for seed in (0, 1, 2):
        for network in NETWORKS:
            if seed not in network.seeds or (reduced and seed):
                continue
            won = chosen.get(network.tuned_as or "", {"tried": {}, "cost": 1.0})
            flags = {**network.common, **won["tried"], **network.own, **(REDUCED if reduced else {})}
            minutes = network.minutes / 12 if reduced else network.minutes * won["cost"]
            yield Training(network, seed, {"attribution_method": network.method, "seed": seed} | flags, minutes)
