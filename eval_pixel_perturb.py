"""Remove-and-classify: erase the most important k % of the pixels and classify again (paper, Section 5.3).

python eval_pixel_perturb.py --load_checkpoint=save/x/ --score_map_process=joint --erase=mean
"""

import sys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.data import default_collate

from calm import errors
from calm.data_loaders.classes import short_name
from calm.data_loaders.datasets import ImageDataset
from calm.distributed import is_main, print0
from calm.engine import Prediction
from calm.evaluation.metrics import PerturbationRatio, reduce
from calm.evaluation.pixel_perturb.erasing import PERCENTAGES, image_keys, remove_and_classify
from calm.evaluation.pixel_perturb.pictures import save_curves, save_samples, spread
from calm.evaluation.session import Evaluation, start_evaluation

SAMPLES = 6
"""Images in the picture."""


def keys_of(dataset: ImageDataset, indices: Tensor, seed: int, device: torch.device) -> Tensor:
    """[B,4], where each image's random numbers start."""
    return image_keys([dataset.records[index].image_id for index in indices.tolist()], seed=seed, device=device)


def print_table(values: dict[str, float], name: str, erase: str) -> None:
    """The accuracies and ratios, a line per k."""
    print0(f"\nremove-and-classify: {name}, erased by {erase}; accuracy {values['accuracy']:.2f} % with nothing erased")
    print0(f"{'k %':>5}{'A_k %':>9}{'A_k^r %':>9}{'R_k':>8}")
    for k in PERCENTAGES:
        print0(f"{k:>5}{values[f'A_{k}']:>9.2f}{values[f'Ar_{k}']:>9.2f}{values[f'R_{k}']:>8.3f}")


def draw_samples(evaluation: Evaluation, dataset: ImageDataset, maps_of: Callable, seed: int) -> None:
    """results/pixel_perturb[_<tag>]/samples.png: some test images, erased step by step."""
    network, erase = evaluation.network, evaluation.args.erase
    items = [dataset[index] for index in spread(SAMPLES, len(dataset))]
    images, targets, indices = default_collate(items)
    images, targets = images.to(evaluation.device), targets.to(evaluation.device)
    keys = keys_of(dataset, indices, seed, evaluation.device)

    def probability(erased: Tensor) -> Tensor:
        with torch.inference_mode():
            return network(erased).log_p_y.gather(1, targets[:, None])[:, 0].exp()

    with torch.inference_mode():
        output = network(images)
    maps = maps_of(Prediction(output, images, targets, indices))
    names = [short_name(dataset.class_names[target]) for target in targets.tolist()]
    save_samples(
        evaluation.results_dir / "samples.png",
        images,
        maps,
        keys,
        probability,
        erase=erase,
        percentages=PERCENTAGES,
        mean=network.mean,
        std=network.std,
        names=names,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run it on the test split; results/pixel_perturb[_<tag>].json and pictures beside it."""
    evaluation = start_evaluation(argv, "pixel_perturb", about=__doc__)
    args, device = evaluation.args, evaluation.device
    name = evaluation.attribution_name()
    args = args.replaced(erase=args.erase or ("zero" if args.protocol == "released" else "blur"))
    evaluation.args = args
    seed = args.seed or 0
    if "norm_type" in args.given:
        print0(f"notice: --norm_type={args.norm_type} has no effect: pixels are ranked before normalisation")
    dataset = evaluation.dataset()
    maps_of = evaluation.raw_maps(name, dataset)

    def classify(images: Tensor) -> Tensor:
        return evaluation.log_p_y(images).argmax(dim=1)

    ratio = PerturbationRatio(PERCENTAGES)
    for batch in evaluation.predict(evaluation.loader(dataset), name):
        keys = keys_of(dataset, batch.indices, seed, device)
        erased = remove_and_classify(classify, batch.images, maps_of(batch), keys, erase=args.erase)
        ratio.update(batch.targets, batch.output.log_p_y.argmax(dim=1), erased.ranked, erased.random)
    reduce(ratio)
    values = ratio.compute()
    print_table(values, name, args.erase)
    evaluation.write(values, {**ratio.counts(), "attribution": name, "erase": args.erase, "seed": seed})
    if is_main():
        title = f"{args.attribution_method} on {args.dataset_name}: {name}, erased by {args.erase}"
        save_curves(evaluation.results_dir / "curves.png", values, PERCENTAGES, title=title)
        draw_samples(evaluation, dataset, maps_of, seed)


if __name__ == "__main__":
    sys.exit(errors.run(main))
