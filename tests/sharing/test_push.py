"""A run pushed to a hub and loaded from there: the same network, and a card with this checkpoint's numbers alone."""

import json
from pathlib import Path

import pytest
import torch

import calm
from calm import errors, push
from calm.errors import UserError
from calm.networks import checkpoint
from calm.networks.checkpoint_files import locate_checkpoint
from calm.runs import LAST, sha256
from tests.local_hub import hub_at_home
from tests.test_explain import NAMES, save_checkpoint
from tests.tiny_networks import tiny_batch


@pytest.fixture
def run(tiny_trunk, tmp_path) -> Path:
    """A run folder with a result of its checkpoint and one of another."""
    folder = save_checkpoint(tmp_path / "birds", "CALM_EM")
    file = folder / LAST
    (folder / "results").mkdir()
    for name, digest, value in (("wsol", sha256(file), 43.21), ("pixel_perturb", "another", 12.34)):
        flags = {"dataset_name": "SynthBirds", "attribution_method": "CALM_EM"}
        content = {"evaluation": name, "protocol": "paper", "config": flags, "details": {"attribution": "joint"}}
        content |= {"checkpoint": {"path": str(file), "sha256": digest}, "metrics": {"PxAP": value}}
        (folder / "results" / f"{name}.json").write_text(json.dumps(content))
    return folder


def pushed(*words) -> int:
    return errors.run(lambda: push.main([str(word) for word in words]))


def assert_same_network(ours, theirs) -> None:
    images, _ = tiny_batch(2, 48)
    assert torch.equal(ours(images).log_joint, theirs(images).log_joint)
    assert ours.class_names == theirs.class_names == NAMES


def test_pushed_and_loaded_from_a_hub(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CALM_HOME", str(tmp_path / "home"))
    with hub_at_home() as (address, hub):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert pushed(run, "me/birds") == 0, capsys.readouterr().err
        assert set(hub["me/birds"]) == {"model.safetensors", "config.json", "README.md"}
        assert_same_network(calm.load("hf:me/birds"), calm.load(run))
        file = locate_checkpoint("hf:me/birds")
        assert file.read_bytes() == hub["me/birds"]["model.safetensors"] and (tmp_path / "home") in file.parents
        assert not capsys.readouterr().err  # no bar where there is no terminal
        with pytest.raises(UserError, match="hf:me/none cannot be had"):
            calm.load("hf:me/none")
    assert_same_network(calm.load("hf:me/birds"), calm.load(run))  # the hub is away, the files are here
    assert pushed(run, "me/birds") == 2 and "me/birds cannot be pushed to" in capsys.readouterr().err


def test_the_card_has_the_numbers_of_this_checkpoint_alone(run, tmp_path, capsys):
    assert pushed(run, "--folder", tmp_path / "shared") == 0
    card = (tmp_path / "shared" / "README.md").read_text()
    assert "| wsol | joint | PxAP | 43.21 | higher |" in card and "12.34" not in card
    assert card.startswith("---\nlibrary_name: calm\n") and "Least_Tern" in card
    assert "import calm  # pip install '.[hub]' from a clone of the project\n" in card
    assert_same_network(calm.load(tmp_path / "shared"), calm.load(run))
    said = json.loads((tmp_path / "shared" / "config.json").read_text())
    assert said["config"]["crop_size"] == 48 and str(tmp_path) not in json.dumps(said)


def test_the_card_names_no_place_of_the_machine(run, tmp_path):
    assert pushed(run, "--folder", tmp_path / "shared") == 0
    card = (tmp_path / "shared" / "README.md").read_text()
    assert 'calm.load("shared/")' in card and str(tmp_path) not in card


def test_a_checkpoint_that_is_replaced_meanwhile_has_no_numbers_of_the_other(run, tmp_path, monkeypatch):
    load, later = checkpoint.load, torch.load(run / LAST, weights_only=True)
    later["state_dict"]["conv_last.bias"][0] += 1
    torch.save(later, tmp_path / "later")
    result = run / "results" / "wsol.json"
    result.write_text(result.read_text().replace(sha256(run / LAST), sha256(tmp_path / "later")))

    def load_then_train_on(path, **options):
        loaded = load(path, **options)
        if (tmp_path / "later").exists():
            (tmp_path / "later").replace(run / LAST)
        return loaded

    monkeypatch.setattr("calm.runs.load", load_then_train_on)
    assert pushed(run, "--folder", tmp_path / "shared") == 0
    assert "43.21" in (tmp_path / "shared" / "README.md").read_text()
    assert_same_network(calm.load(tmp_path / "shared"), calm.load(run))


def test_the_card_says_which_way_is_better_and_what_needs_no_knowledge(run, tmp_path):
    file = run / LAST
    written = {
        "accuracy": ({"accuracy": 61.5}, {}),
        "pixel_perturb": ({"A_30": 40.0, "R_30": 0.71}, {}),
        "attribution": (
            {"joint": {"deletion": 0.191, "pointing": 95.8}, "gradient": {"deletion": 0.169, "pointing": 78.9}},
            {"constant": {"pointing": 0.0}, "untrained_heads/joint": {"pointing": 33.3}},
        ),
        "cue_location": (
            {"mPxAP": 20.2, "num_pairs_1": 6},
            {"constant": {"mPxAP": 5.3}, "centred_gaussian": {"sigma": 12.0, "mPxAP": 16.07}},
        ),
    }
    for name, (metrics, baselines) in written.items():
        flags = {"dataset_name": "SynthBirds", "attribution_method": "CALM_EM"}
        content = {"evaluation": name, "config": flags, "details": {"attribution": "joint"}, "metrics": metrics}
        content |= {"checkpoint": {"path": str(file), "sha256": sha256(file)}, "baselines": baselines}
        (run / "results" / f"{name}.json").write_text(json.dumps(content))
    assert pushed(run, "--folder", tmp_path / "shared") == 0
    card = (tmp_path / "shared" / "README.md").read_text()
    for line in (
        "| evaluation | map | metric | value | better | without knowledge |",
        f"| accuracy |  | accuracy | 61.5 | higher | {100 / len(NAMES):.4g} (chance) |",
        "| pixel_perturb | joint | R_30 | 0.71 | lower | 1 (chance) |",
        "| pixel_perturb | joint | A_30 | 40 |  |  |",
        "| attribution | joint | deletion | 0.191 | lower |  |",
        "| attribution | joint | pointing | 95.8 | higher | 0 (constant map), 33.3 (untrained heads) |",
        "| attribution | gradient | pointing | 78.9 | higher | 0 (constant map) |",
        "| cue_location | joint | mPxAP | 20.2 | higher | 5.3 (constant map), 16.07 (centred Gaussian, sigma 12 px) |",
        "| cue_location | joint | num_pairs_1 | 6 |  |  |",
    ):
        assert line in card.splitlines(), line


def test_the_card_tells_two_results_of_one_map_apart(run, tmp_path):
    file = run / LAST
    for masks, value in (("keypoints", 10.5), ("exact", 20.25)):
        flags = {"dataset_name": "SynthBirds", "attribution_method": "CALM_EM", "cue_masks": masks}
        content = {"evaluation": "cue_location", "config": flags, "details": {"attribution": "joint"}}
        content |= {"checkpoint": {"path": str(file), "sha256": sha256(file)}, "metrics": {"mPxAP": value}}
        (run / "results" / f"cue_location_{masks}.json").write_text(json.dumps(content))
    assert pushed(run, "--folder", tmp_path / "shared") == 0
    card = (tmp_path / "shared" / "README.md").read_text()
    assert "| cue_location | joint | mPxAP | 10.5 |" in card
    assert "| cue_location, exact cue masks | joint | mPxAP | 20.25 |" in card
    assert "| wsol | joint | PxAP | 43.21 |" in card


def test_what_is_damaged_or_foreign_is_one_sentence(run, tmp_path, capsys):
    folder = tmp_path / "shared"
    assert pushed(run, "--folder", folder) == 0
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 16
    weights.write_bytes(content)
    with pytest.raises(UserError, match="state_dict differs from its digest"):
        calm.load(folder)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="no network of this code"):
        calm.load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"there is no config\.json beside it"):
        calm.load(folder)
    with pytest.raises(UserError, match="hf:OWNER/NAME"):
        calm.load("hf:birds")
    for words in ([run], [run, "birds"], [tmp_path / "nowhere", "me/birds"]):
        assert pushed(*words) == 2 and capsys.readouterr().err.count("\n") == 1
