"""Trunks seen to run: each trains CALM_EM from scratch for two epochs on small SynthBirds, and explains a test bird.

python benchmarks/trunks.py [ARCHITECTURE ...]  prints a JSON object a trunk; without names, docs/own_networks.md's
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, the repository is not on the path

import calm
from calm import main
from calm.data_loaders.synthbirds import generate
from calm.errors import UserError, as_flags

TRUNKS = (
    "timm:test_vit",
    "timm:deit_tiny_patch16_224,depth=2",
    "timm:vit_small_patch14_reg4_dinov2,depth=2,embed_dim=96,num_heads=3,patch_size=16",
    "timm:eva02_tiny_patch14_224,depth=2,patch_size=16",
    "timm:swin_tiny_patch4_window7_224,depths=(1,1,1),num_heads=(2,4,8),embed_dim=32",
    "timm:test_coatnet",
    "timm:test_convnext",
    "timm:test_efficientnet",
    "timm:test_resnet",
    "timm:test_nfnet",
    "timm:test_byobnet",
    "timm:densenet121,growth_rate=8,block_config=(2,2,2,2)",
    "timm:mobilenetv3_small_050",
    "timm:regnetx_002",
    "timm:xcit_nano_12_p8_224,depth=2",
    "timm:gmlp_ti16_224,num_blocks=2",
    "timm:test_mambaout",
    "timm:pit_ti_224",
    "timm:pvt_v2_b0",
    "torchvision:shufflenet_v2_x0_5",
    "resnet18",
    "efficientnet_lite0",
    "timm:levit_128s",
)
SIZE = 64


def trained(architecture: str, data: Path, folder: Path) -> dict[str, Any]:
    """Train and explain with one trunk; what cannot be done is said in its sentence."""
    start = time.perf_counter()
    try:
        main.main(
            [
                *(
                    "--dataset=SynthBirds",
                    f"--data_root={data}",
                    f"--metadata_root={data}_lists",
                    f"--save_root={folder}",
                ),
                *("--attribution_method=CALM_EM", f"--architecture={architecture}", "--pretrained=False", "--seed=0"),
                *(
                    f"--crop_size={SIZE}",
                    "--batch_size=32",
                    "--epochs=2",
                    "--workers=0",
                    "--optimizer=adamw",
                    "--lr=1e-3",
                ),
                *("--lr_classifier_ratio=1", "--experiment_name=x", "--override_cache"),
            ]
        )
        seconds = time.perf_counter() - start
        network = calm.load(folder / "x")
        [explanation] = network.explain(next(iter(sorted((data / "SynthBirds" / "images").rglob("*.jpg")))))
    except UserError as error:
        return {"architecture": architecture, "ok": False, "sentence": as_flags(str(error))}
    accuracy = json.loads((folder / "x" / "results" / "accuracy.json").read_text())["metrics"]["accuracy"]
    return {
        "architecture": architecture,
        "ok": True,
        "accuracy": round(accuracy, 1),
        "seconds": round(seconds, 1),
        "grid": list(explanation.maps["joint"].shape),
        "stride": network.cell_stride,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def report(architectures: list[str]) -> None:
    """Draw the birds once, then train trunk by trunk."""
    with tempfile.TemporaryDirectory() as place:
        data, folder = Path(place) / "data", Path(place) / "save"
        with contextlib.redirect_stdout(sys.stderr):
            generate.main(
                [f"--data_root={data}", f"--metadata_root={data}_lists", "--num_classes=4", f"--image_size={SIZE}"]
            )
        for architecture in architectures:
            with contextlib.redirect_stdout(sys.stderr):
                found = trained(architecture, data, folder)
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architectures", nargs="*", metavar="ARCHITECTURE", help="[those of docs/own_networks.md]")
    report(parser.parse_args().architectures or list(TRUNKS))
