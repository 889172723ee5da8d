"""eval_wsol.py end to end: given counts, several workers and processes, a network's maps, refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from calm import eval_wsol
from calm.data_loaders.metadata import write_records
from calm.data_loaders.record import Record
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.errors import UserError
from calm.evaluation.map_sources import NetworkMaps
from calm.networks import build_network
from tests.processes import in_two_processes
from tests.tiny_data import picture, save, write

SIZE = 32


@pytest.fixture(scope="module")
def cases(expected, tmp_path_factory) -> Path:
    """The 60 formula-defined maps with boxes (as CUB) and masks (as OpenImages)."""
    import wsol_cases

    folder = tmp_path_factory.mktemp("cases")
    wsol_cases.write(str(folder))
    return folder


def file_flags(folder: Path, dataset: str, *more: str) -> list[str]:
    return [
        f"--scoremap_root={folder / 'scoremaps'}",
        f"--dataset={dataset}",
        f"--data_root={folder / 'dataset'}",
        f"--metadata_root={folder / 'metadata'}",
        f"--mask_root={folder / 'dataset'}",
        f"--save_root={folder / 'save'}",
        "--cam_curve_interval=0.01",
        "--workers=0",
        *more,
    ]


def results(folder: Path, tag: str, experiment: str = "result") -> dict:
    return json.loads((folder / "save" / experiment / "results" / f"wsol_{tag}.json").read_text())


def outcome(content: dict) -> tuple:
    return content["metrics"], content["details"]


def test_boxes_equal_the_expected_ones(cases, expected, capsys):
    eval_wsol.main(file_flags(cases, "CUB", "--tag=boxes"))
    content = results(cases, "boxes")
    single, multi = (
        json.loads((expected / "wsol.json").read_text())["box"][f"interval=0.01,multi_contour={flag}"]
        for flag in (False, True)
    )
    assert content["evaluation"] == "wsol" and content["checkpoint"] is None
    assert content["details"]["counts"] == {"single": single["num_correct"], "multi": multi["num_correct"]}
    assert content["details"]["num_images"] == 60 and len(content["details"]["thresholds"]) == 100
    assert content["metrics"] == {
        "MaxBoxAcc": pytest.approx(45),
        "MaxBoxAccV2": pytest.approx(47.7777778),
        "MaxBoxAcc_30": pytest.approx(68.3333333),
        "MaxBoxAcc_50": pytest.approx(46.6666667),
        "MaxBoxAcc_70": pytest.approx(28.3333333),
    }
    assert "MaxBoxAccV2      47.78" in capsys.readouterr().out
    assert (cases / "save/result/results/wsol_boxes/samples.png").stat().st_size > 10_000


def test_masks_equal_the_expected_ones_with_two_workers(cases, expected):
    eval_wsol.main(file_flags(cases, "OpenImages", "--tag=masks", "--workers=2"))
    content = results(cases, "masks")
    wanted = json.loads((expected / "wsol.json").read_text())["mask"]["interval=0.01"]["PxAP"]
    assert content["metrics"] == {"PxAP": pytest.approx(wanted, abs=1e-9)}
    assert (cases / "save/result/results/wsol_masks/precision_recall.png").stat().st_size > 5_000


@pytest.mark.usefixtures("undrawn")
def test_workers_and_processes_change_nothing(cases):
    eval_wsol.main(file_flags(cases, "CUB", "--tag=one"))
    eval_wsol.main(file_flags(cases, "CUB", "--tag=workers", "--workers=2"))
    in_two_processes(eval_wsol.main, file_flags(cases, "CUB", "--tag=processes"))
    assert outcome(results(cases, "one")) == outcome(results(cases, "workers")) == outcome(results(cases, "processes"))


def small_case(folder: Path, *, boxes=((10, 10, 40, 40),)) -> Path:
    """Two images of 64x64 with one map under either name."""
    records = [Record("a/x.jpg", 0, (64, 64), boxes), Record("a/y.jpg", 1, (64, 64), boxes)]
    write_records(folder / "metadata", "CUB", "test", records)
    (folder / "scoremaps/a").mkdir(parents=True)
    values = np.zeros((224, 224))
    values[35:140, 35:140] = 1
    np.save(folder / "scoremaps/a/x.jpg.npy", values)
    np.save(folder / "scoremaps/a/y.npy", values.astype(np.float32))
    return folder


@pytest.mark.usefixtures("undrawn")
def test_either_file_name_is_found(tmp_path):
    eval_wsol.main(file_flags(small_case(tmp_path), "CUB", "--tag=t"))
    assert results(tmp_path, "t")["metrics"]["MaxBoxAcc"] == 100.0


@pytest.mark.usefixtures("undrawn")
def test_maps_of_photographs_meet_the_boxes_of_now(tmp_path):
    """Without a network as with one: no list of the photographs is needed before, and boxes may change."""
    photos = tmp_path / "photos"
    names = [f"{name}/{number}.png" for name in "ab" for number in range(3)]
    for name in names:
        save(picture(0, 40, 20), photos / name)
        (tmp_path / "scoremaps" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / f"scoremaps/{name}.npy", np.pad(np.ones((16, 16)), (0, 16)))
    found = []
    for box in ("0,0,19,9", "20,10,39,19"):
        write(photos / "boxes.csv", "".join(f"{name},{box}\n" for name in names))
        eval_wsol.main([*file_flags(tmp_path, "folder", "--tag=t", "--crop_size=32"), f"--data_root={photos}"])
        found.append(results(tmp_path, "t")["metrics"]["MaxBoxAcc"])
    assert found == [100.0, 0.0]


def header(shape: str) -> bytes:
    """The beginning of a .npy file that says it has this shape."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((224, 224), np.nan), "NaN in 50176 places"),
        (np.full((224, 224), 1.5), "from 1.5 to 1.5"),
        (np.full((224, 224), -0.1), "from -0.1"),
        (np.zeros((1, 224, 224)), "two-dimensional"),
        (np.full((224, 224), "a"), "not numbers"),
        (np.array([{}]), "is not a .npy array"),
        (b"\x93NUMPY", "is not a .npy array"),
        (header("(9999999999999, 224)"), "is not a .npy array"),
        (header("(99999999999999999999, 224)"), "is not a .npy array"),
        (header("("), "is not a .npy array"),
        (b"PK\x03\x04", "is not a .npy array"),
        (None, "is missing"),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_map_is_named_and_nothing_is_written(tmp_path, values, message, workers):
    path = small_case(tmp_path) / "scoremaps/a/x.jpg.npy"
    path.unlink()
    if isinstance(values, bytes):
        path.write_bytes(values)
    elif values is not None:
        np.save(path, values)
    with pytest.raises(UserError, match=message) as error:
        eval_wsol.main(file_flags(tmp_path, "CUB", f"--workers={workers}"))
    assert str(path) in str(error.value)
    assert not (tmp_path / "save").exists()


def test_missing_annotations_flags_and_folders_are_named(tmp_path):
    small_case(tmp_path)
    with pytest.raises(UserError, match="`load_checkpoint` is missing"):
        eval_wsol.main(file_flags(tmp_path, "CUB")[1:])
    with pytest.raises(UserError, match=r"`scoremap_root`=.*no such folder"):
        eval_wsol.main([*file_flags(tmp_path, "CUB"), f"--scoremap_root={tmp_path / 'nowhere'}"])
    boxes = tmp_path / "metadata/CUB/test/localization.txt"
    boxes.write_text(boxes.read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match=r"test/localization.txt has no box for a/y.jpg"):
        eval_wsol.main(file_flags(tmp_path, "CUB"))
    write_records(tmp_path / "metadata", "OpenImages", "test", [Record("a/x.jpg", 0)])
    with pytest.raises(UserError, match=r"localization.txt has no mask for a/x.jpg"):
        eval_wsol.main(file_flags(tmp_path, "OpenImages"))
    write_records(tmp_path / "metadata", "OpenImages", "test", [Record("a/x.jpg", 0, masks=("a/x_m.png",))])
    with pytest.raises(UserError, match=r"OpenImages/a/x_m.png does not exist"):
        eval_wsol.main(file_flags(tmp_path, "OpenImages"))


@pytest.mark.usefixtures("undrawn")
def test_levels_without_50_leave_out_what_is_defined_at_50(tmp_path, capsys):
    eval_wsol.main(file_flags(small_case(tmp_path), "CUB", "--tag=t", "--iou_thresholds", "30", "70"))
    assert list(results(tmp_path, "t")["metrics"]) == ["MaxBoxAccV2", "MaxBoxAcc_30", "MaxBoxAcc_70"]
    assert "need 50 among --iou_thresholds" in capsys.readouterr().out


@pytest.fixture(scope="module")
def birds(tiny_trunk, tmp_path_factory) -> Path:
    """A very small SynthBirds with untrained CAM and CALM checkpoints."""
    folder = tmp_path_factory.mktemp("birds")
    synthbirds.generate(
        folder / "dataset",
        folder / "metadata",
        num_classes=3,
        image_size=48,
        seed=0,
        train_per_class=1,
        val_per_class=1,
        test_per_class=3,
    )
    for method in ("CAM", "CALM_EM"):
        torch.manual_seed(0)
        config = {
            "architecture": "tiny",
            "attribution_method": method,
            "dataset_name": "SynthBirds",
            "crop_size": SIZE,
            "data_root": str(folder / "dataset"),
            "metadata_root": str(folder / "metadata"),
            "large_feature_map": True,
        }
        (folder / "save" / method).mkdir(parents=True)
        content = {"architecture": "tiny", "epoch": 1, "config": config, "optimizer": {}}
        content["state_dict"] = build_network("tiny", method, 3, large_feature_map=True).state_dict()
        torch.save(content, folder / "save" / method / "last_checkpoint.pth.tar")
    return folder


def network_flags(birds: Path, method: str, *more: str) -> list[str]:
    checkpoint = f"--load_checkpoint={birds / 'save' / method}"
    return [checkpoint, "--cam_curve_interval=0.05", "--workers=0", "--batch_size=4", *more]


def network_results(birds: Path, method: str, *more: str) -> dict:
    eval_wsol.main(network_flags(birds, method, "--tag=t", *more))
    return results(birds, "t", method)


def test_a_network_has_every_metric_on_synthbirds(birds):
    content = network_results(birds, "CALM_EM")
    names = ["MaxBoxAcc", "MaxBoxAccV2", *(f"MaxBoxAcc_{iou}" for iou in (30, 50, 70)), "PxAP", "Top1Loc", "Top5Loc"]
    assert list(content["metrics"]) == names and content["checkpoint"]["sha256"]
    assert content["details"]["num_images"] == 9 and content["details"]["attribution"] == "joint"
    values = content["metrics"]
    assert 0 <= values["Top1Loc"] <= values["Top5Loc"] == values["MaxBoxAcc"]  # with three classes all are in the top 5
    assert values["MaxBoxAcc"] == 100 * max(content["details"]["counts"]["single"]["50"]) / 9
    assert 0 < values["PxAP"] < 100
    assert (birds / "save/CALM_EM/results/wsol_t/precision_recall.png").is_file()


@pytest.mark.usefixtures("undrawn")
def test_network_results_depend_on_neither_batches_nor_workers(birds):
    whole = outcome(network_results(birds, "CALM_EM"))
    assert outcome(network_results(birds, "CALM_EM", "--batch_size=9", "--workers=1")) == whole


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("method", "name"),
    [("CALM_EM", "subset"), ("CALM_EM", "gtcond"), ("CAM", "vanilla-superclass"), ("CAM", "gradient")],
)
def test_maps_by_name_and_the_files_of_the_same_maps_agree(birds, monkeypatch, method, name):
    saved = {}
    original = NetworkMaps.stream

    def stream(self):
        for index, ranks, score_maps in original(self):
            saved[self.dataset.records[index].image_id] = score_maps[0]  # those of untrained heads come after
            yield index, ranks, score_maps

    monkeypatch.setattr(NetworkMaps, "stream", stream)
    made = network_results(birds, method, f"--score_map_process={name}")
    folder = birds / "maps" / method / name
    for image_id, score_map in saved.items():
        (folder / image_id).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{image_id}.npy", score_map)
    read = network_results(birds, method, f"--scoremap_root={folder}")
    assert made["details"]["counts"] == read["details"]["counts"]
    assert {name: made["metrics"][name] for name in read["metrics"]} == read["metrics"]
    assert set(made["metrics"]) - set(read["metrics"]) == {"Top1Loc", "Top5Loc"}


@pytest.mark.usefixtures("undrawn")
def test_resize_modes_differ(birds):
    bilinear, bicubic = (network_results(birds, "CAM", f"--resize_mode={mode}") for mode in ("bilinear", "bicubic"))
    assert bilinear["metrics"]["PxAP"] != bicubic["metrics"]["PxAP"]
