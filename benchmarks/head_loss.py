"""CALM_EM's head and loss against the plain version: peak memory and time from the logits to their gradients."""

import json
import sys

import measure
import torch
import torch.nn.functional as F

from calm.networks.heads import CalmHead
from calm.networks.methods.calm_em import em_loss

B, K, SIDE = 32, 1000, 28


def ours(g: torch.Tensor, h: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The package's own."""
    return em_loss(CalmHead()(g, h), targets)


def plain(g: torch.Tensor, h: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Softmax over K, times the prior, posterior of all classes, log: Eq. 6 as one would first write it."""
    prior = F.softplus(h)
    joint = g.softmax(dim=1) * (prior / prior.sum(dim=(2, 3), keepdim=True))
    posterior = (joint / (joint.sum(dim=(2, 3), keepdim=True) + 1e-10)).detach()
    per_class = -(posterior * (joint + 1e-10).log()).sum(dim=(2, 3))
    return per_class.gather(1, targets[:, None]).mean()


VERSIONS = {"ours": ours, "plain": plain}


def step(version: str, batch: int = B):
    """A function from the logits to their gradients."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator(device).manual_seed(0)
    targets = torch.randint(0, K, (batch,), generator=generator, device=device)
    g = torch.randn(batch, K, SIDE, SIDE, generator=generator, device=device).requires_grad_()
    h = torch.randn(batch, 1, SIDE, SIDE, generator=generator, device=device).requires_grad_()

    def run() -> None:
        g.grad = h.grad = None
        VERSIONS[version](g, h, targets).backward()

    return run


def peak_in_logits(version: str) -> float:
    """Peak memory, the logits themselves included, in units of the class logits' size."""
    step(version, batch=1)()  # whatever the first call loads is not the loss's
    run = step(version)
    return 1 + measure.peak_bytes(run) / (B * K * SIDE * SIDE * 4)


def main() -> None:
    """Memory in a fresh process each; time of both in this one, in turns."""
    if len(sys.argv) > 1:
        print(json.dumps(peak_in_logits(sys.argv[1])))
        return
    peak = {version: round(measure.in_fresh_process(__file__, version), 2) for version in VERSIONS}
    times = measure.compare({version: step(version) for version in VERSIONS}, repeats=3)
    measure.report(
        "head_loss",
        shape=[B, K, SIDE, SIDE],
        peak_in_logits_ours=peak["ours"],
        peak_in_logits_plain=peak["plain"],
        seconds_ours=round(times["ours"], 4),
        seconds_plain=round(times["plain"], 4),
        speedup=round(times["plain"] / times["ours"], 2),
    )


if __name__ == "__main__":
    main()
