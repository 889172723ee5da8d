"""The runs and evaluations, each as the words of a ``calm`` command, with the minutes it took on one core."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from calm.data_loaders.catalogue import dataset_named
from calm.experiments.trainings import REDUCED_IMAGES, Flags, Network, Training

SUBSAMPLE = 300
"""Test photographs, drawn by the seed, on which maps that cost several passes an image and class are compared."""
SYNTHETIC_IMAGES = 96
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
EVERY_MAP = (
    *("birds_CAM", "birds_CALM_EM", "birds_CALM_EM_relu"),
    *("birds_CAM_then_CAM", "birds_CAM_then_CALM_EM", "birds_CAM_then_CALM_EM_relu"),
)
"""Networks whose maps of every kind are compared, of seed 0."""
LATENT_MAPS = ("joint", "conditional", "posterior", "saliency")
FEW_COPIES: Flags = {"smooth_grad_nr_iter": 4, "integrated_grad_nr_iter": 4}
"""Of maps that average over copies of an image: 50 would take twelve times as long."""


class Step(NamedTuple):
    """One command, and the file that says that it ran."""

    run: str
    words: tuple[str, ...]
    result: str
    """Below the run folder."""
    minutes: float
    dataset: str
    starts_from: str | None = None
    """The run folder whose weights a training starts from."""


SCORES = {
    "text": {"cue_score": "text"},
    "text-minmax": {"cue_score": "text", "norm_type": "minmax"},
    "released": {"cue_score": "released", "norm_type": "minmax"},
}
ALIGNMENTS = {
    "grid": {"resize_alignment": "grid"},
    "receptive_field": {"resize_alignment": "receptive_field"},
    "offset_0": {"resize_alignment": "receptive_field", "cell_offset": 0},
}
"""Where cells are laid: as tiles, where the trunk states, and where drawn validation birds are found best."""


def words_of(command: str, flags: Flags) -> tuple[str, ...]:
    """A command with its flags, as words after ``calm``."""
    return (*command.split(), *(f"--{name}={value}" for name, value in flags.items()))


def _cue_step(run: str, name: str, score: str, alignment: str, images: int | None = None) -> Step:
    tag = f"{name}_{score}_{alignment}" + (f"_{images}" if images else "")
    flags: Flags = {
        "score_map_process": name,
        **ALIGNMENTS[alignment],
        **SCORES[score],
        "mask_to_segmentation": False,
        "tag": tag,
        **FEW_COPIES,
        **({"max_images": images} if images else {}),
    }
    minutes = 2.0 if images and name in GRADIENT_MAPS else 0.6
    return Step(run, words_of("eval cue_location", flags), f"results/cue_location_{tag}.json", minutes, "CUB")


def _of_birds(network: Network, run: str, seed: int) -> Iterator[Step]:
    for score in SCORES if network.default_map == "cam" else ("text", "released"):
        for alignment in ALIGNMENTS if score == "text" else ("grid", "receptive_field"):
            yield _cue_step(run, network.default_map, score, alignment)
    if seed == 0 and network.name in EVERY_MAP:
        own = LATENT_MAPS if network.has_prior else ("cam",)
        for name in (*own, *CAM_FAMILY, *GRADIENT_MAPS):
            yield _cue_step(run, name, "text", "grid", SUBSAMPLE)
    erased: Flags = {"max_images": SUBSAMPLE}
    yield Step(run, words_of("eval pixel_perturb", erased), "results/pixel_perturb.json", 1, "CUB")


def _of_synthetic(network: Network, run: str) -> Iterator[Step]:
    own = (*LATENT_MAPS, "taylorcam") if network.has_prior else ()
    names = ",".join((*own, "cam", *GRADIENT_MAPS, *CAM_FAMILY))
    flags: Flags = {"attributions": names, "max_images": SYNTHETIC_IMAGES, **FEW_COPIES}
    yield Step(run, words_of("eval intervention", flags), "results/intervention.json", 4, "SynthBirds")
    for alignment in ALIGNMENTS:
        located = {**ALIGNMENTS[alignment], "cam_curve_interval": 0.01, "tag": alignment}
        yield Step(run, words_of("eval wsol", located), f"results/wsol_{alignment}.json", 0.5, "SynthBirds")


def steps(every: Iterable[Training], *, reduced: bool = False) -> Iterator[Step]:
    """Every step, trainings before the evaluations of their networks."""
    for training in every:
        run, dataset = training.run, str(training.flags["dataset"])
        words = words_of("train", {"experiment_name": run, **training.flags})
        yield Step(run, words, "results/accuracy.json", training.minutes, dataset, training.starts_from)
        synthetic = dataset_named(dataset).ensure is not None  # it is drawn
        of = _of_synthetic(training.network, run) if synthetic else _of_birds(training.network, run, training.seed)
        for step in of:
            few = (f"--max_images={REDUCED_IMAGES if synthetic else SUBSAMPLE}",) if reduced else ()
            yield step._replace(words=(*step.words, *few), minutes=step.minutes / (10 if reduced else 1))


def result_path(save_root: Path, step: Step) -> Path:
    """The file that a step writes."""
    return save_root / step.run / step.result
