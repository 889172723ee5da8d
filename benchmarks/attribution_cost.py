"""Cost of every attribution in units of one forward pass of the network, and its peak memory beside the network's.

Each attribution takes turns with the bare forward pass; memory is measured in a process of its own. A second object
gives CALM's maps of all classes at once. Maps that need a forward pass per channel are costly: the network is a
small one, and the numbers of noisy copies are those in the object.
"""

import json
import sys

import measure
import torch

from calm.attribution import ATTRIBUTIONS, build_attribution
from calm.networks import build_network

CLASSES = 200
SMALL = {"architecture": "resnet18", "side": 112, "batch": 2, "large_feature_map": False}
LARGE = {"architecture": "resnet50", "side": 224, "batch": 4, "large_feature_map": True}
COPIES = {
    "integrated_grad_nr_iter": 50,
    "smooth_grad_nr_iter": 50,
    "smoothgradcam_nr_iter": 4,
    "sscam_nr_iter": 1,
}
ALL_CLASSES = "joint of all classes"


def network_and_batch(setting: dict, method: str) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """A random network in eval mode, normal images and targets, on the GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    network = build_network(setting["architecture"], method, CLASSES, large_feature_map=setting["large_feature_map"])
    images = torch.randn(setting["batch"], 3, setting["side"], setting["side"], device=device)
    return network.eval().to(device), images, torch.arange(setting["batch"], device=device)


def method_of(name: str) -> str:
    """The training method of a network that has the maps ``name``."""
    if name == ALL_CLASSES:
        return "CALM_EM"
    attribution = ATTRIBUTIONS[name]
    return next(iter(attribution.needs_methods), "CALM_EM" if attribution.needs_prior else "CAM")


def functions_of(name: str) -> dict:
    """The bare forward pass and the attribution ``name``, ready to call."""
    setting = LARGE if name == ALL_CLASSES else SMALL
    network, images, targets = network_and_batch(setting, method_of(name))

    @torch.no_grad()
    def forward():
        return network(images)

    @torch.no_grad()
    def all_classes():
        return network(images).log_joint.exp()

    supersets = {y: list(range(CLASSES)) for y in range(CLASSES)}
    if name == ALL_CLASSES:
        return {"forward": forward, "attribution": all_classes}
    attribution = build_attribution(name, supersets=supersets, versus=0, **COPIES)
    return {"forward": forward, "attribution": lambda: attribution(network, images, targets)}


def forward_passes(name: str) -> float:
    """Time of one attribution over that of the bare forward pass."""
    functions = functions_of(name)
    repeats = 5 if measure.seconds_of(functions["attribution"]) < 1 else 1
    times = measure.compare(functions, repeats=repeats)
    return round(times["attribution"] / times["forward"], 2)


def peaks(names: list[str]) -> dict[str, dict[str, float]]:
    """Peak memory in MiB of each attribution and of the bare forward pass, beyond weights and images."""
    measure.give_blocks_back()
    found = {}
    for name in names:
        functions = functions_of(name)
        functions["forward"]()  # what the first call loads is not the attribution's
        found[name] = {part: round(measure.peak_bytes(call) / 2**20, 1) for part, call in functions.items()}
    return found


def main() -> None:
    """One line of JSON for all attributions at the small size, one for all classes at the large size."""
    if sys.argv[1:] == ["peaks"]:
        print(json.dumps(peaks([*ATTRIBUTIONS, ALL_CLASSES])))
        return
    memory = measure.in_fresh_process(__file__, "peaks")
    costs = {
        name: {
            "forward_passes": forward_passes(name),
            "peak_mib": memory[name]["attribution"],
            "peak_mib_of_forward": memory[name]["forward"],
        }
        for name in [*ATTRIBUTIONS, ALL_CLASSES]
    }
    everything = costs.pop(ALL_CLASSES)
    measure.report("attribution_cost", setting={**SMALL, "classes": CLASSES}, copies=COPIES, attributions=costs)
    measure.report("attribution_cost_all_classes", setting={**LARGE, "classes": CLASSES}, **everything)


if __name__ == "__main__":
    main()
