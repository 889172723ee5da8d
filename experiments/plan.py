"""The runs and evaluations, each as the words of a ``calm`` command, with the minutes it took on one core."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from calm.data_loaders.catalogue import dataset_named

Flags = dict[str, object]

BIRDS: Flags = {
    "dataset": "CUB",
    "architecture": "efficientnet_lite0",
    "resize_size": 144,
    "crop_size": 128,
    "batch_size": 32,
    "epochs": 3,
    "lr_decay_frequency": 3,
    "lr": 0.01,
}
"""Real birds: the pretrained trunk, 128 px, a grid of 8x8 cells."""
SYNTHETIC: Flags = BIRDS | {"dataset": "SynthBirds", "epochs": 6, "lr_decay_frequency": 5}
RELU: Flags = {"prior_activation": "relu", "detach_prior_sum": True}
LAGGING: Flags = {"em_target": "ema", "em_momentum": 0.99}
TABLE_3 = {"HaS": 11, "CutMix": 11, "ADL": 11, "SPG": 11, "ACoL": 52}
"""Training methods of the paper's Table 3, each on one seed, and their minutes."""
REDUCED: Flags = {"epochs": 1, "lr_decay_frequency": 1, "crop_size": 64, "resize_size": 72}
"""What --reduced changes of a training: enough to see every step run, nothing to learn from."""
REDUCED_IMAGES = 24

SUBSAMPLE = 300
"""Test photographs, drawn by the seed, on which maps that cost several passes an image and class are compared."""
SYNTHETIC_IMAGES = 24
"""Drawn birds whose parts are changed."""

GRADIENT_MAPS = (
    "gradient",
    "integrated_gradients",
    "smoothgrad",
    "vargrad",
    "guided_backprop",
    "guided_gradcam",
)
CAM_FAMILY = ("gradcam", "gradcam++", "layercam", "smoothgradcam++", "finercam")
LATENT_MAPS = ("joint", "conditional", "posterior", "saliency")
FEW_COPIES: Flags = {"smooth_grad_nr_iter": 4, "integrated_grad_nr_iter": 4}
"""Of maps that average over copies of an image: 50 would take twelve times as long."""


class Network(NamedTuple):
    """A network to train, once a seed."""

    name: str
    method: str
    flags: Flags
    seeds: tuple[int, ...]
    minutes: float
    default_map: str
    tuned_as: str | None = None
    """The network of the search whose chosen flags it takes."""

    @property
    def has_prior(self) -> bool:
        """Whether it has CALM's maps."""
        return self.default_map == "joint"


class Step(NamedTuple):
    """One command, and the file that says that it ran."""

    run: str
    words: tuple[str, ...]
    result: str
    """Below the run folder."""
    minutes: float
    dataset: str


def _birds(
    name: str, method: str, flags: Flags | None = None, *, seeds: tuple[int, ...] = (0, 1, 2), minutes: float = 11
) -> Network:
    default_map = "joint" if method.startswith("CALM") else "cam"
    tuned_as = "CAM" if default_map == "cam" else "CALM_EM_relu" if flags == RELU else "CALM_EM"
    return Network(f"birds_{name}", method, BIRDS | (flags or {}), seeds, minutes, default_map, tuned_as)


NETWORKS = (
    _birds("CAM", "CAM"),
    _birds("CALM_EM", "CALM_EM"),
    _birds("CALM_EM_relu", "CALM_EM", RELU),
    _birds("CALM_ML", "CALM_ML"),
    _birds("CALM_EM_ema", "CALM_EM", LAGGING, minutes=15),
    *(_birds(method, method, seeds=(0,), minutes=minutes) for method, minutes in TABLE_3.items()),
    Network("SynthBirds_CAM", "CAM", SYNTHETIC, (0,), 6, "cam"),
    Network("SynthBirds_CALM_EM", "CALM_EM", SYNTHETIC, (0,), 6, "joint"),
    Network("SynthBirds_CALM_EM_relu", "CALM_EM", SYNTHETIC | RELU, (0,), 6, "joint"),
)
SCORES = {
    "text": {"cue_score": "text"},
    "text-minmax": {"cue_score": "text", "norm_type": "minmax"},
    "released": {"cue_score": "released", "norm_type": "minmax"},
}
ALIGNMENTS = ("grid", "receptive_field")


def words_of(command: str, flags: Flags) -> tuple[str, ...]:
    """A command with its flags, as words after ``calm``."""
    return (*command.split(), *(f"--{name}={value}" for name, value in flags.items()))


def _cue_step(run: str, name: str, score: str, alignment: str, images: int | None = None) -> Step:
    tag = f"{name}_{score}_{alignment}" + (f"_{images}" if images else "")
    flags: Flags = {"score_map_process": name, "resize_alignment": alignment, **SCORES[score]}
    flags |= {"mask_to_segmentation": False, "tag": tag, **FEW_COPIES, **({"max_images": images} if images else {})}
    minutes = 3.0 if images and name in GRADIENT_MAPS else 1.1
    return Step(run, words_of("eval cue_location", flags), f"results/cue_location_{tag}.json", minutes, "CUB")


def _of_birds(network: Network, run: str, seed: int) -> Iterator[Step]:
    for score in SCORES if network.default_map == "cam" else ("text", "released"):
        for alignment in ALIGNMENTS:
            yield _cue_step(run, network.default_map, score, alignment)
    if seed == 0 and network.name in ("birds_CAM", "birds_CALM_EM", "birds_CALM_EM_relu"):
        own = LATENT_MAPS if network.has_prior else ("cam",)
        for name in (*own, *CAM_FAMILY, *GRADIENT_MAPS):
            yield _cue_step(run, name, "text", "grid", SUBSAMPLE)
    erased: Flags = {"max_images": SUBSAMPLE}
    yield Step(run, words_of("eval pixel_perturb", erased), "results/pixel_perturb.json", 2, "CUB")


def _of_synthetic(network: Network, run: str) -> Iterator[Step]:
    own = (*LATENT_MAPS, "taylorcam") if network.has_prior else ()
    names = ",".join((*own, "cam", *GRADIENT_MAPS, *CAM_FAMILY))
    flags: Flags = {"attributions": names, "max_images": SYNTHETIC_IMAGES, **FEW_COPIES}
    yield Step(run, words_of("eval intervention", flags), "results/intervention.json", 4, "SynthBirds")


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
            flags = network.flags | won["tried"] | (REDUCED if reduced else {})
            minutes = network.minutes / 12 if reduced else network.minutes * won["cost"]
            yield Training(network, seed, {"attribution_method": network.method, "seed": seed} | flags, minutes)


def steps(every: Iterable[Training], *, reduced: bool = False) -> Iterator[Step]:
    """Every step, trainings before the evaluations of their networks."""
    for training in every:
        run, dataset = training.run, str(training.network.flags["dataset"])
        words = words_of("train", {"experiment_name": run} | training.flags)
        yield Step(run, words, "results/accuracy.json", training.minutes, dataset)
        synthetic = dataset_named(dataset).ensure is not None  # it is drawn
        of = _of_synthetic(training.network, run) if synthetic else _of_birds(training.network, run, training.seed)
        for step in of:
            few = (f"--max_images={REDUCED_IMAGES if synthetic else SUBSAMPLE}",) if reduced else ()
            yield step._replace(words=(*step.words, *few), minutes=step.minutes / (10 if reduced else 1))


def result_path(save_root: Path, step: Step) -> Path:
    """The file that a step writes."""
    return save_root / step.run / step.result
