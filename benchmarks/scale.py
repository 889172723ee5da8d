"""Memory at scale: the head and loss of 21,000 classes on 56x56 cells, and an evaluation of 50,000 images.

Prints one JSON object: peak memory from the logits to their gradients in units of the logits, and how much the process
grows between the first tenth of the images and the last.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import measure
import torch
from torch import Tensor

from calm.attribution import output_attribution
from calm.attribution.score_map import normalize, resize
from calm.engine import predict
from calm.evaluation.metrics import Accuracy
from calm.networks import build_network
from calm.networks.heads import CalmHead
from calm.networks.methods.calm_em import em_loss
from calm.wsol_eval import PxAP

CLASSES, GRID, BATCH = 21_000, 56, 2


def peak_in_logits() -> float:
    """Peak memory of CALM_EM's head and loss with their gradients, the logits included, in units of the logits."""

    def run(classes: int) -> None:
        g, h = torch.randn(BATCH, classes, GRID, GRID), torch.randn(BATCH, 1, GRID, GRID)
        em_loss(CalmHead()(g.requires_grad_(), h.requires_grad_()), torch.zeros(BATCH, dtype=torch.long)).backward()

    run(10)  # what the first call loads is not the loss's
    return measure.peak_bytes(lambda: run(CLASSES)) / (BATCH * CLASSES * GRID * GRID * 4)


def growth(images: int) -> dict[str, float]:
    """MiB of the process after a tenth of the images and after all, with accuracy and PxAP counted."""
    network = build_network("resnet18", "CALM_EM", 10)
    joint, accuracy, pxap = output_attribution("joint"), Accuracy(), PxAP(0.01)
    masks = torch.zeros(32, 32, dtype=torch.uint8)
    masks[8:24, 8:24] = 1
    sizes = []

    def batches() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for start in range(0, images, 50):
            if start == images // 10:
                sizes.append(resident())
            indices = torch.arange(start, start + 50)
            yield torch.randn(50, 3, 32, 32), indices % 10, indices

    for batch in predict(network, batches(), device=torch.device("cpu")):
        accuracy.update(batch.output.log_p_y, batch.targets)
        for score_map in normalize(resize(joint(batch.output, batch.targets), 32), "minmax"):
            pxap.update(score_map, masks)
    return {"a tenth": sizes[0], "all": resident(), "images": float(accuracy.totals()[0][1])}


def resident() -> float:
    """Resident memory of this process, MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return round(int(line.split()[1]) / 1024, 1)


def main() -> None:
    """Each part in a fresh process."""
    if sys.argv[1:2] == ["head"]:
        print(json.dumps(peak_in_logits()))
        return
    if sys.argv[1:2] == ["evaluation"]:
        print(json.dumps(growth(int(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    args = parser.parse_args()
    measure.report(
        "scale",
        classes=CLASSES,
        grid=GRID,
        peak_in_logits=round(measure.in_fresh_process(__file__, "head"), 2),
        mib_of_an_evaluation=measure.in_fresh_process(__file__, "evaluation", str(args.images)),
    )


if __name__ == "__main__":
    main()
