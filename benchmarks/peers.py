"""Ours beside the peers' on the same inputs in one run: time, ours / theirs, and how far the results agree.

python benchmarks/peers.py [name ...]

torchcam, captum, torchmetrics and scikit-learn come with the extra `peers`. One thread; each pair takes turns
and the fastest run of each counts, in processor time. Below 1 ours is faster. What has no peer but a plain version
stands in the other files here.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import measure
import torch
from torch import Tensor

from calm.attribution import build_attribution
from calm.attribution.libraries import Tapped
from calm.engine import Prediction
from calm.evaluation.attribution.comparison import ends_of
from calm.evaluation.attribution.faithfulness import area, deletion_curve, drop, insertion_curve
from calm.evaluation.metrics import Accuracy
from calm.evaluation.pixel_perturb.erasing import rank_by_score
from calm.networks import build_network
from calm.wsol_eval import PxAP
from calm.wsol_eval.pixel_ap import PixelScores, exact_curve

SIDE, BATCH, CLASSES, STEPS = 64, 2, 200, 20


class Pair(NamedTuple):
    """Two functions of the same inputs, and the number by which their results differ."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    difference: Callable[[Any, Any], float]
    peer: str


def scaled(maps: Tensor) -> Tensor:
    """Each map by its own maximum, as both sides use other units."""
    return maps / maps.amax(dim=(1, 2), keepdim=True)


def largest(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference of scaled maps."""
    return (scaled(ours) - scaled(theirs.detach())).abs().max().item()


class Inputs:
    """A random ResNet18, a batch of normal images and their classes."""

    def __init__(self, batch: int = BATCH, side: int = SIDE) -> None:
        torch.manual_seed(0)
        self.network = build_network("resnet18", "CAM", CLASSES).eval()
        self.images = torch.randn(batch, 3, side, side)
        self.targets = torch.arange(batch)
        self.scores = Tapped(self.network).eval()

    def ours(self, name: str, **options: Any) -> Callable[[], Tensor]:
        """Our attribution of the batch."""
        attribution = build_attribution(name, **options)
        return lambda: attribution(self.network, self.images, self.targets)

    def torchcam(self, name: str, **options: Any) -> Callable[[], Tensor]:
        """torchcam's, of the same feature map."""
        import torchcam.methods

        def maps() -> Tensor:
            with getattr(torchcam.methods, name)(self.scores, "tap", **options) as extractor:
                scores = self.scores(self.images.clone().requires_grad_())
                return extractor(self.targets.tolist(), scores, normalized=False)[0]

        return maps

    def log_p_y(self, images: Tensor) -> Tensor:
        """[B,K]."""
        return self.network(images).log_p_y


def cam_family(inputs: Inputs) -> dict[str, Pair]:
    """Maps of torchcam that have the same formula as ours; Score-CAM, 512 passes an image, of one small image."""
    one = Inputs(batch=1, side=64)
    return {
        "gradcam": Pair(inputs.ours("gradcam"), inputs.torchcam("GradCAM"), largest, "torchcam"),
        "layercam": Pair(inputs.ours("layercam"), inputs.torchcam("LayerCAM"), largest, "torchcam"),
        "scorecam": Pair(one.ours("scorecam"), one.torchcam("ScoreCAM", batch_size=32), largest, "torchcam"),
    }


def gradients(inputs: Inputs) -> dict[str, Pair]:
    """Gradient maps of captum."""
    import captum.attr

    network, images, targets = inputs.network, inputs.images, inputs.targets

    def score(shown: Tensor) -> Tensor:
        return network(shown).class_scores

    def saliency() -> Tensor:
        return captum.attr.Saliency(score).attribute(images.clone(), target=targets).amax(dim=1)

    def smoothgrad() -> Tensor:
        torch.manual_seed(0)
        tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(score))
        options = {"nt_type": "smoothgrad", "nt_samples": 16, "nt_samples_batch_size": 2}
        sigma = float((images.amax() - images.amin()) / 4)
        return tunnel.attribute(images.clone(), target=targets, stdevs=sigma, **options).amax(dim=1)

    def correlation(ours: Tensor, theirs: Tensor) -> float:
        return 1 - torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))[0, 1].item()

    return {
        "gradient": Pair(inputs.ours("gradient"), saliency, largest, "captum"),
        "smoothgrad (1 - correlation: other noise)": Pair(
            inputs.ours("smoothgrad", smooth_grad_nr_iter=16), smoothgrad, correlation, "captum"
        ),
    }


def faithfulness(inputs: Inputs) -> dict[str, Pair]:
    """Both curves of one map, and the drop, of torchcam's metrics."""
    from torchcam.methods import GradCAM
    from torchcam.metrics import ClassificationMetric, DeletionInsertionMetric

    images, targets = inputs.images, inputs.targets
    attribution = build_attribution("gradcam")

    def predicted() -> Prediction:
        return Prediction(inputs.network(images), images, targets, targets)

    def probability(shown: Tensor) -> Tensor:
        log_p = inputs.log_p_y(shown)
        return log_p.gather(1, targets.repeat(len(shown) // BATCH)[:, None])[:, 0].exp()

    @torch.no_grad()
    def curves() -> dict[str, float]:
        batch = predicted()
        ends = ends_of(batch.images, batch.output.log_p_y, targets, inputs.log_p_y)
        ranks = rank_by_score(attribution(inputs.network, images, targets), (SIDE, SIDE))
        options = {"copies": 32 // BATCH}
        both = {"deletion": deletion_curve, "insertion": insertion_curve}
        found = {key: area(of(probability, images, ranks, ends, STEPS, **options)) for key, of in both.items()}
        return {key: value.mean().item() for key, value in found.items()}

    def theirs(metric: Any, **options: Any) -> Callable[[], dict[str, float]]:
        def summary() -> dict[str, float]:
            with GradCAM(inputs.scores, "tap") as extractor:
                found = metric(extractor, lambda scores: scores.softmax(dim=1), **options)
                found.update(images.clone().requires_grad_(), targets.tolist())
                return found.summary()

        return summary

    @torch.no_grad()
    def drops() -> float:
        maps = attribution(inputs.network, images, targets)
        maps = maps / maps.amax(dim=(1, 2), keepdim=True).clamp_min(1e-30)
        low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
        masks = torch.nn.functional.interpolate(((maps - low) / (high - low))[:, None], (SIDE, SIDE), mode="bilinear")
        full = probability(images)
        return drop(full, probability(images * masks)).mean().item()

    return {
        "insertion and deletion": Pair(
            curves,
            theirs(DeletionInsertionMetric, steps=STEPS, batch_size=32),
            lambda a, b: abs(a["deletion"] - b["deletion_auc"]),  # insertion starts from other images there
            "torchcam",
        ),
        "average drop": Pair(drops, theirs(ClassificationMetric), lambda a, b: abs(a - b["avg_drop"]), "torchcam"),
    }


def counts(inputs: Inputs) -> dict[str, Pair]:
    """Average precision and accuracy of torchmetrics and scikit-learn."""
    from sklearn.metrics import average_precision_score
    from torchmetrics.classification import BinaryAveragePrecision, MulticlassAccuracy

    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(20, 224, 224, generator=generator) < 0.2
    scores = (torch.rand(masks.shape, generator=generator) * 0.8 + 0.2 * masks).clamp(0, 1)
    log_p_y, targets = torch.randn(2000, CLASSES, generator=generator), torch.randint(CLASSES, (2000,))

    def exact() -> float:
        found = exact_curve(PixelScores(scores, masks))
        return found.average_precision if found else float("nan")

    def binned() -> float:
        metric = PxAP(0.001)
        for score_map, mask in zip(scores, masks):
            metric.update(score_map, mask.to(torch.uint8))
        return metric.compute()["PxAP"] / 100

    def torchmetrics_of(**options: Any) -> Callable[[], float]:
        def value() -> float:
            metric = BinaryAveragePrecision(**options)
            for score_map, mask in zip(scores, masks):
                metric.update(score_map.flatten(), mask.flatten().int())
            return metric.compute().item()

        return value

    def accuracy() -> float:
        metric = Accuracy()
        for some, own in zip(log_p_y.split(64), targets.split(64)):
            metric.update(some, own)
        return metric.compute()["accuracy"] / 100

    def their_accuracy() -> float:
        metric = MulticlassAccuracy(CLASSES, average="micro")
        for some, own in zip(log_p_y.split(64), targets.split(64)):
            metric.update(some, own)
        return metric.compute().item()

    def apart(a: float, b: float) -> float:
        return abs(a - b)

    by_scikit = lambda: average_precision_score(masks.numpy().ravel(), scores.numpy().ravel())  # noqa: E731
    return {
        "exact average precision": Pair(exact, by_scikit, apart, "scikit-learn"),
        "exact average precision, torchmetrics": Pair(exact, torchmetrics_of(), apart, "torchmetrics"),
        "PxAP, 1000 bins": Pair(binned, torchmetrics_of(thresholds=1000), apart, "torchmetrics"),
        "accuracy": Pair(accuracy, their_accuracy, apart, "torchmetrics"),
    }


GROUPS = {"cam_family": cam_family, "gradients": gradients, "faithfulness": faithfulness, "counts": counts}


def main() -> None:
    """Print one object with all pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", default=list(GROUPS), help=", ".join(GROUPS))
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    inputs, found = Inputs(), {}
    for group in args.groups:
        for name, pair in GROUPS[group](inputs).items():
            difference = pair.difference(pair.ours(), pair.theirs())
            both = {"ours": pair.ours, "theirs": pair.theirs}
            times = measure.compare(both, repeats=args.repeats, of=min, clock=time.process_time)
            found[name] = {
                "peer": pair.peer,
                "ratio": round(times["ours"] / times["theirs"], 3),
                "seconds_ours": round(times["ours"], 4),
                "difference": float(f"{difference:.2g}"),
            }
    setting = {"network": "resnet18", "side": SIDE, "batch": BATCH, "classes": CLASSES, "auc_steps": STEPS}
    measure.report("peers", setting=setting, pairs=found)


if __name__ == "__main__":
    main()
