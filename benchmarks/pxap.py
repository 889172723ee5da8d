"""PxAP over 50,000 maps of 224x224: time and memory of the histograms against keeping every score and sorting.

Prints one JSON object. Keeping the scores is measured on a share of the maps, as it grows with their number.
"""

import argparse

import numpy as np
import torch
from measure import peak_bytes, report, seconds_of
from sklearn.metrics import average_precision_score

from calm.wsol_eval import PxAP

SIZE, INTERVAL = 224, 0.001
DIFFERENT = 16
"""Maps drawn in advance and shown in turn, so that drawing them is not measured."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maps", type=int, default=50_000)
    parser.add_argument("--plain_maps", type=int, default=200, help="maps whose scores are kept and sorted")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    edges = PxAP(INTERVAL).edges
    masks = rng.choice(np.array([0, 1, 255], np.uint8), (DIFFERENT, SIZE, SIZE), p=[0.6, 0.3, 0.1])
    scores = edges[rng.integers(0, 801, masks.shape) + 200 * (masks == 1)]

    def histograms(count: int) -> float:
        metric = PxAP(INTERVAL)
        for index in range(count):
            metric.update(scores[index % DIFFERENT], masks[index % DIFFERENT])
        return metric.compute()["PxAP"]

    def sorting(count: int) -> float:
        kept = [(scores[index % DIFFERENT], masks[index % DIFFERENT]) for index in range(count)]
        values, labels = (np.concatenate([pair[part].ravel() for pair in kept]) for part in (0, 1))
        return 100 * average_precision_score(labels[labels != 255] == 1, values[labels != 255])

    values: dict[str, float] = {}
    share = seconds_of(lambda: values.update(ours=histograms(args.plain_maps)))
    plain = seconds_of(lambda: values.update(plain=sorting(args.plain_maps)))
    plain_peak = peak_bytes(lambda: sorting(args.plain_maps))
    seconds: list[float] = []
    peak = peak_bytes(lambda: seconds.append(seconds_of(lambda: histograms(args.maps))))
    report(
        "pxap",
        maps=args.maps,
        seconds=round(seconds[0], 1),
        ms_per_map=round(1000 * seconds[0] / args.maps, 3),
        peak_mib=round(peak / 2**20, 1),
        plain={"maps": args.plain_maps, "seconds": round(plain, 2), "peak_mib": round(plain_peak / 2**20, 1)},
        ratio_on_plain_maps=round(plain / share, 1),
        difference=abs(values["ours"] - values["plain"]),
    )


if __name__ == "__main__":
    main()
