"""Remove-and-classify of a batch against eleven bare forward passes of the same network, and what its parts take."""

import measure
import torch

from calm.attribution import output_attribution
from calm.evaluation.pixel_perturb.erasing import (
    fill_for,
    image_keys,
    rank_at_random,
    rank_by_score,
    remove_and_classify,
)
from calm.networks import build_network

PASSES = 11  # the whole images, and five shares erased in two orders


def main() -> None:
    """Print the ratio, with resnet50 at 224 pixels and 200 classes."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    batch = 64 if device == "cuda" else 4
    torch.manual_seed(0)
    network = build_network("resnet50", "CALM_EM", 200).to(device).eval()
    images = torch.randn(batch, 3, 224, 224, device=device)
    targets = torch.arange(batch, device=device)
    keys = image_keys([str(number) for number in range(batch)], device=device)
    joint = output_attribution("joint")

    def classify(erased: torch.Tensor) -> torch.Tensor:
        return network(erased).log_p_y.argmax(dim=1)

    @torch.inference_mode()
    def ours() -> None:
        output = network(images)
        output.log_p_y.argmax(dim=1)
        remove_and_classify(classify, images, joint(output, targets), keys)

    @torch.inference_mode()
    def bare() -> None:
        for _ in range(PASSES):
            network(images)

    maps = torch.rand(batch, 14, 14, device=device)
    size = (224, 224)
    parts = {
        "rank by map": lambda: rank_by_score(maps, size),
        "rank at random": lambda: rank_at_random(keys, size),
        "blur": lambda: fill_for("blur", images, keys),
    }
    times = measure.compare({"ours": ours, "bare": bare}, repeats=5 if device == "cuda" else 3)
    each = measure.compare(parts)
    measure.report(
        "pixel_perturb",
        batch=batch,
        ratio_to_eleven_passes=round(times["ours"] / times["bare"], 3),
        seconds_ours=round(times["ours"], 3),
        seconds_eleven_passes=round(times["bare"], 3),
        milliseconds_per_image={name: round(1000 * seconds / batch, 2) for name, seconds in each.items()},
    )


if __name__ == "__main__":
    main()
