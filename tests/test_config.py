"""Flags: defaults, merging, aliases, and one sentence for each mistake."""

import ast
import copy
import operator
import os
import pickle
import re

import pytest

from calm import config, runs
from calm.attribution.catalogue import ATTRIBUTIONS, released_names
from calm.data_loaders.catalogue import DATASETS
from calm.errors import UserError
from calm.flags import NOTES, data, flags_of, network, recorded
from calm.flags.flag import SCRIPTS
from calm.networks import METHODS, TRUNKS
from calm.networks.trunks import FAMILIES

RELEASED_TRAINING = (
    "--experiment_name=experiment_name/ --architecture=resnet50 --attribution_method=CALM_EM --dataset=CUB "
    "--use_bn=True --large_feature_map=True"
).split()
RELEASED_EVALUATION = [
    *RELEASED_TRAINING,
    *["--use_load_checkpoint=True", "--load_checkpoint=checkpoint_name/", "--score_map_process=jointll"],
    "--norm_type=clipping",
]


def test_released_defaults():
    args = config.parse([], "main")
    assert (args.experiment_name, args.dataset_name, args.architecture) == ("result", "CUB", "resnet50")
    assert (args.attribution_method, args.epochs, args.batch_size, args.lr) == ("CAM", 40, 64, 0.01)
    assert (args.lr_decay_frequency, args.lr_classifier_ratio, args.weight_decay) == (30, 10, 1e-4)
    assert (args.resize_size, args.crop_size, args.iou_thresholds) == (256, 224, [30, 50, 70])
    assert args.pretrained is True and args.is_train is True and args.use_bn is False
    assert args.seed is None and args.given == frozenset()


def test_released_commands_parse():
    assert config.parse(RELEASED_TRAINING, "main").experiment_name == "experiment_name"
    for script in ("eval_pixel_perturb", "eval_cue_location"):
        args = config.parse(RELEASED_EVALUATION, script)
        assert args.use_bn is True and args.large_feature_map is True and args.norm_type == "clipping"


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("false", False), ("1", True), ("no", False), ("YES", True)]
)
def test_booleans(text, value):
    assert config.parse([f"--use_bn={text}"], "main").use_bn is value


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("--leaning_rate=1", "--lr"),
        ("--wd=1e-4", "--weight_decay"),
        ("--num-workers=2", "--workers"),
        ("--arch=resnet18", "--architecture"),
        ("--data=CUB", "--dataset_name"),
        ("--image_size=96", "--crop_size"),
        ("--bach_size=3", "--batch_size"),
        ("--has_drop=0.3", "--has_drop_rate"),
        ("--confg=a.yaml", "--config"),
        ("--hlep", "--help"),
    ],
)
def test_the_flag_that_was_meant_is_named(word, near, tmp_path):
    with pytest.raises(UserError, match=rf"unknown argument '{word}'; the nearest valid one is '{near}'"):
        config.parse([word], "main")
    if near not in ("--config", "--help"):
        (tmp_path / "a.yaml").write_text(f"{word.removeprefix('--').split('=')[0]}: 1\n")
        with pytest.raises(UserError, match=rf"the nearest valid one is '{near.removeprefix('--')}'"):
            config.parse([f"--config={tmp_path / 'a.yaml'}"], "main")


def test_a_boolean_alone_is_true_and_names_have_aliases():
    args = config.parse(["--use_bn", "--dataset", "ImageNet", "--attribution_method", "calm-ml"], "main")
    assert args.use_bn is True and args.attribution_method == "CALM_ML"
    assert args.given == {"use_bn", "dataset_name", "attribution_method"}
    assert runs.resolved(args).dataset_name == "ILSVRC" and args.dataset_name == "ImageNet"


@pytest.mark.parametrize("words", [["--dataset=Cubs"], ["--attribution_method=CALMS"], ["--architecture=resnet5"]])
def test_a_wrong_name_of_an_open_table_lists_the_right_ones(words):
    with pytest.raises(UserError, match=r"CUB|CALM_EM|resnet50"):
        runs.resolved(config.parse(words, "main"))


def test_a_config_is_frozen_and_can_be_copied():
    args = config.parse(["--epochs=3"], "main")
    for change in (
        lambda: setattr(args, "epochs", 4),
        lambda: args.update(epochs=4),
        lambda: args.pop("epochs"),
        lambda: operator.setitem(args, "epochs", 4),
    ):
        with pytest.raises(TypeError, match="frozen"):
            change()
    other = copy.deepcopy(args).replaced(epochs=4)
    assert (args.epochs, other.epochs, other.given) == (3, 4, {"epochs"})
    assert pickle.loads(pickle.dumps(other)) == other


def test_default_below_file_below_command_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("lr: 0.5\nepochs: 3\ndataset: SynthBirds\niou_thresholds: [40, 60]\nseed: null\n")
    args = config.parse([f"--config={path}", "--epochs=7"], "main")
    assert (args.lr, args.epochs, args.momentum, args.dataset_name) == (0.5, 7, 0.9, "SynthBirds")
    assert args.iou_thresholds == [40, 60] and args.seed is None


def test_the_resize_follows_the_crop():
    assert config.parse(["--crop_size=112"], "main").resize_size == 128
    assert config.parse(["--crop_size=112", "--resize_size=120"], "main").resize_size == 120


@pytest.mark.parametrize(
    ("file", "words", "sizes"),
    [
        ({"crop_size": 96, "resize_size": 100}, [], (96, 100)),
        ({"crop_size": 96, "resize_size": 100}, ["--crop_size=96"], (96, 100)),
        ({"crop_size": 96, "resize_size": 100}, ["--crop_size=56"], (56, 64)),
        ({"crop_size": 96, "resize_size": 100}, ["--crop_size=112"], (112, 128)),
        ({"crop_size": 96, "resize_size": 100}, ["--crop_size=56", "--resize_size=60"], (56, 60)),
        ({"crop_size": 96, "resize_size": 100}, ["--resize_size=120"], (96, 120)),
        ({"resize_size": 100}, ["--crop_size=56"], (56, 100)),  # of no crop
    ],
)
def test_the_resize_of_a_file_is_of_its_crop(tmp_path, file, words, sizes):
    """As that of a checkpoint: 256 to 224 for another crop."""
    path = tmp_path / "recipe.yaml"
    path.write_text("".join(f"{name}: {value}\n" for name, value in file.items()))
    args = config.parse([f"--config={path}", *words], "main")
    assert (args.crop_size, args.resize_size) == sizes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epocs=3"], "--epochs"),
        (["--epochs=0"], "--epochs"),
        (["--lr=nan"], "--lr"),
        (["--lr=1e39"], "--lr"),
        (["--seed=4611686018427387905"], "--seed"),
        (["--iou_thresholds", "30", "50", "30"], "each once"),
        (["--experiment_name=a\0b"], "--experiment_name"),
        (["--data_root=\udcff"], "--data_root"),
        (["--use_bn=maybe"], "maybe"),
        (["--smoothing_ksize=4"], "odd"),
        (["--cam_curve_interval=0"], "--cam_curve_interval"),
        (["--config=nowhere.yaml"], "nowhere.yaml"),
        (["--crop_size=64", "--resize_size=32"], "--resize_size"),
        (["--experiment_name=.."], "--experiment_name"),
        (["--seed=-1"], "--seed"),
        (["--seeds", "0", "1", "0"], "each once"),
        (["--is_different_checkpoint"], "--load_checkpoint"),
        (["--use_load_checkpoint=True"], "--load_checkpoint"),
    ],
)
def test_mistakes_are_one_sentence(words, said):
    with pytest.raises(UserError, match=said) as error:
        config.parse(words, "main")
    assert "\n" not in str(error.value)


def test_a_tag_is_part_of_a_file_name():
    assert config.parse(["--tag=joint, large"], "eval_wsol").tag == "joint, large"
    with pytest.raises(UserError, match="no '/'"):
        config.parse(["--tag=../x"], "eval_wsol")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epocs: 1", "'epochs'"),
        ("lr: [", "YAML"),
        ("- 1", "mapping"),
        ("lr: x", "--lr"),
        ("epochs:", "no value"),
        ("lr: 1 # \xe9", "UTF-8"),
    ],
)
def test_mistakes_in_a_file_name_the_file(tmp_path, text, said):
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=said) as error:
        config.parse([f"--config={path}"], "main")
    assert "bad.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("experiment_name: 001", "experiment_name", "001"),
        ("experiment_name: 2024_01", "experiment_name", "2024_01"),
        ("experiment_name: no", "experiment_name", "no"),
        ("experiment_name: 1:30", "experiment_name", "1:30"),
        ("experiment_name: 0x10", "experiment_name", "0x10"),
        ("experiment_name: 'null'", "experiment_name", "null"),
        ("use_bn: no", "use_bn", False),
        ("seed: 010", "seed", 10),
        ("lr: 1e-5", "lr", 1e-5),
        ("pretrained_path: null", "pretrained_path", None),
        ("iou_thresholds: [40]", "iou_thresholds", [40]),
        ("iou_thresholds: 40", "iou_thresholds", [40]),
    ],
)
def test_a_word_in_a_file_is_the_word_of_the_command_line(tmp_path, text, name, value):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert config.parse([f"--config={path}"], "main")[name] == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr: 1\nepochs: 2\nlr: 3", "line 3.*'lr' is there twice"),
        ("dataset: CUB\ndataset_name: CUB", "twice"),
        ("iou_thresholds: [30, --override_cache=True]", "--iou_thresholds"),
        ("lr: [1, 2]", "--lr"),
        ("lr: {a: 1}", "'lr' should be a value"),
        ("iou_thresholds: []", "--iou_thresholds"),
        ("? [a]\n: 1", "name of a flag"),
        ("a: &a [x, *a]", "'a'"),
        ("[" * 5000, "YAML|deeply"),
        ("precision: fp16", "fp32"),
        ("seed: 1.5", "--seed"),
    ],
)
def test_a_file_smuggles_nothing_in(tmp_path, text, said):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as error:
        config.parse([f"--config={path}"], "main")
    assert "bad.yaml" in str(error.value) and "\n" not in str(error.value)


def test_a_pipe_is_no_config_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UserError, match="no such file"):
        config.parse([f"--config={tmp_path / 'pipe.yaml'}"], "main")


def test_a_flag_of_another_script_is_refused():
    with pytest.raises(UserError, match="--erase"):
        config.parse(["--erase=blur"], "main")


def test_every_config_file_parses(request):
    paths = sorted((request.config.rootpath / "configs").glob("*.yaml"))
    assert len(paths) >= 10
    for path in paths:
        args = config.parse([f"--config={path}"], "main")
        assert args.experiment_name == path.stem
        assert f"configs/{path.name}" in path.read_text()


def test_recorded_values_can_be_given_back(tmp_path):
    args = config.parse(["--seed=3", "--lr=1e-5"], "main")
    stored = recorded(args)
    again = config.check_values(stored, "main", source="config.yaml")
    assert again == stored


def test_every_script_knows_the_released_flags():
    released = set(flags_of("main")) - {"resume", "seeds"}
    for script in SCRIPTS:
        assert released <= set(flags_of(script))


def help_of(script, capsys, **options):
    with pytest.raises(SystemExit):
        config.parse(["--help"], script, **options)
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_the_script_does_and_shows_a_command_that_parses(script, request, capsys, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    docstring = ast.get_docstring(ast.parse((request.config.rootpath / f"{script}.py").read_text()))
    shown = help_of(script, capsys, about=docstring)
    assert " ".join(docstring.split()) in shown
    examples = [line.split("#")[0].split() for line in docstring.splitlines() if "python " in line]
    assert examples
    for words in examples:
        assert words[:2] == ["python", f"{script}.py"]
        config.parse(words[2:], script)


def test_help_shows_defaults_as_they_are_given(capsys):
    shown = help_of("eval_wsol", capsys)
    assert "[30 50 70]" in shown and "[None]" not in shown and "[[" not in shown
    ours, released = re.search(r"the map to use: (.*?); or by a released name: (.*?) \(default", shown).groups()
    assert set(ours.split(", ")) == set(ATTRIBUTIONS) and set(released.split(", ")) == set(released_names())


@pytest.mark.parametrize("script", SCRIPTS)
def test_defaults_in_help_follow_only_flags_that_the_script_takes(script, capsys):
    named = re.findall(r"[\[;] ?with --(\w+)=", help_of(script, capsys))
    assert "optimizer" in named and set(named) <= set(flags_of(script))


def test_maps_from_files_are_for_scripts_that_read_them():
    assert config.parse(["--scoremap_root=maps"], "eval_wsol").scoremap_root == "maps"
    with pytest.raises(UserError, match="unknown argument '--scoremap_root=maps'"):
        config.parse(["--scoremap_root=maps"], "eval_intervention")


def test_what_help_lists_of_the_open_tables_is_what_they_hold():
    assert sorted(network.METHODS) == sorted(METHODS)
    assert sorted(network.TRUNKS) == sorted([*TRUNKS, *(f"{family}:NAME" for family in FAMILIES)])
    assert sorted(data.DATASETS) == sorted(DATASETS)
    for listed in (network.METHODS, network.TRUNKS, data.DATASETS):
        assert any(", ".join(listed) in flag.help for flag in flags_of("main").values())


def test_help_says_which_flags_have_no_effect(capsys):
    for script in SCRIPTS:
        shown = help_of(script, capsys)
        notes = {note for group in NOTES.values() for name, note in group.items() if name == script}
        assert notes and all(note in shown for note in notes)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ([], {"cue_score": "text", "norm_type": "max", "smoothing_ksize": 31, "ig_variant": "standard"}),
        (
            ["--protocol=released"],
            {"cue_score": "released", "norm_type": "minmax", "smoothing_ksize": 1, "ig_variant": "released"},
        ),
        (["--cue_score=released"], {"norm_type": "minmax", "smoothing_ksize": 31}),
        (["--protocol=released", "--cue_score=text"], {"norm_type": "max", "smoothing_ksize": 1}),
        (["--norm_type=minmax", "--smoothing_ksize=1"], {"norm_type": "minmax", "smoothing_ksize": 1}),
    ],
)
def test_defaults_follow_protocol_and_score(words, values):
    args = config.parse(words, "eval_cue_location")
    assert {name: args[name] for name in values} == values
    assert not {"cue_score", "ig_variant"} & args.given - {word[2:].split("=")[0] for word in words}


def test_other_scripts_keep_min_max():
    assert config.parse([], "eval_wsol").norm_type == config.parse([], "main").norm_type == "minmax"
    assert [config.parse(words, "eval_pixel_perturb").erase for words in ([], ["--protocol=released"])] == [
        "blur",
        "zero",
    ]
