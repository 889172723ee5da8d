"""explain.py on one image beside the least it must do: import the libraries, read the file, one forward pass.

Prints one JSON object, in processor time of fresh processes: seconds of both and their difference. The network is
untrained and its run folder made for it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SIZE, CLASSES = 224, 4


def written_run(folder: Path, architecture: str) -> None:
    """A run folder with first weights."""
    from calm import config
    from calm.flags import recorded
    from calm.networks import build_network
    from calm.networks.tensor_files import write_tensors

    words = ["--attribution_method=CALM_EM", "--dataset=SynthBirds", f"--crop_size={SIZE}", "--experiment_name=x"]
    flags = recorded(config.parse([*words, f"--architecture={architecture}"], "main"))
    state = build_network(architecture, "CALM_EM", CLASSES, crop_size=SIZE).state_dict()
    names = [f"bird {index}" for index in range(CLASSES)]
    content = {"epoch": 1, "state_dict": state, "config": flags, "class_names": names}
    write_tensors(folder / "last_checkpoint.pth.tar", content)


def least(folder: str) -> dict[str, float]:
    """Processor time of what cannot be left out."""
    from calm.networks.checkpoint import load_network

    load_network(folder)  # which imports the libraries it needs
    first = time.process_time()
    network, _ = load_network(folder)
    loaded = time.process_time()
    with torch.no_grad():
        network(torch.zeros(1, 3, SIZE, SIZE))
    forward, file = time.process_time() - loaded, loaded - first
    return {"imports": first - file, "file": file, "forward": forward}


def whole(folder: str) -> float:
    """Processor time of explain.py, from its start to its end."""
    words = [sys.executable, str(ROOT / "explain.py"), f"{folder}/bird.jpg", f"--load_checkpoint={folder}"]
    start = children()
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=one_thread)
    return children() - start


def children() -> float:
    """Processor time of the processes that ended."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    """Print both, the fastest of several runs of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="resnet18")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        written_run(Path(folder), args.architecture)
        blots = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(blots).resize((500, 375), Image.Resampling.BICUBIC).save(Path(folder) / "bird.jpg")
        for _ in range(args.repeats):
            once = measure.in_fresh_process(__file__, "least", folder) | {"explain.py": whole(folder)}
            found = {name: min(seconds, found.get(name, seconds)) for name, seconds in once.items()}
    seconds = {name: round(value, 2) for name, value in found.items()}
    beyond = round(found["explain.py"] - found["imports"] - found["file"] - found["forward"], 2)
    measure.report("explain", architecture=args.architecture, seconds=seconds, beyond_the_least=beyond)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["least"]:
        print(json.dumps(least(sys.argv[2])))
    else:
        main()
