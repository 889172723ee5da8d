import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from calm.attribution import (
    ATTRIBUTIONS,
    Attribution,
    build_attribution,
    canonical_name,
    options_of,
    output_attribution,
)
from calm.attribution.catalogue import released_names, resolve_name
from calm.errors import UserError
from calm.flags import flags_of
from tests.tiny_networks import tiny_batch, tiny_network

OPTIONS = {"supersets": {y: [y] for y in range(5)}, "versus": 0, "smooth_grad_nr_iter": 2, "sscam_nr_iter": 1}


@pytest.mark.parametrize("released", released_names())
def test_either_name_gives_the_same_map(released):
    assert canonical_name(released) in ATTRIBUTIONS
    network, (images, targets) = tiny_network("CALM_EM"), tiny_batch()
    theirs = build_attribution(released, **OPTIONS)(network, images, targets)
    ours = build_attribution(canonical_name(released), **OPTIONS)(network, images, targets)
    assert torch.equal(theirs, ours)


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_one_output_serves_as_well_as_a_call(name):
    method = next(iter(ATTRIBUTIONS[name].needs_methods), "CALM_EM")
    network, (images, targets) = tiny_network(method), tiny_batch()
    from_output = output_attribution(name, **OPTIONS)
    if ATTRIBUTIONS[name].reads == "images":
        assert from_output is None
        return
    with torch.no_grad():
        output = network(images)
    assert torch.equal(from_output(output, targets), build_attribution(name, **OPTIONS)(network, images, targets))


@pytest.mark.parametrize("name", [name for name, attribution in ATTRIBUTIONS.items() if attribution.needs_prior])
def test_a_map_of_the_prior_of_a_cam_network_is_an_error(name):
    network, (images, targets) = tiny_network("CAM"), tiny_batch()
    with pytest.raises(UserError, match="prior"):
        build_attribution(name, **OPTIONS)(network, images, targets)


def test_wrong_names_and_options_list_the_right_ones():
    with pytest.raises(UserError, match="did you mean posterior"):
        build_attribution("postarior")
    with pytest.raises(UserError, match="conditional, posterior, saliency"):
        canonical_name("no such map")
    with pytest.raises(UserError, match=r"'sigma'.*vargrad takes smooth_grad_nr_iter, smooth_grad_sigma, seed, noise"):
        build_attribution("vargrad", sigma=3)
    with pytest.raises(UserError, match="joint takes no option"):
        output_attribution("joint", superset={})
    with pytest.raises(UserError, match="subset needs the option 'supersets'"):
        build_attribution("jointll-superclass", versus=1)
    with pytest.raises(UserError, match="counterfactual needs the option 'versus'"):
        output_attribution("counterfactual", versus=None)


@pytest.mark.parametrize(
    ("name", "option", "value", "words"),
    [
        ("smoothgrad", "smooth_grad_nr_iter", 2.5, "'2.5' is not a whole number"),
        ("smoothgrad", "seed", [1], "takes one value"),
        ("integrated_gradients", "integrated_grad_nr_iter", True, "'True' is not a whole number"),
        ("scorecam", "eval_batch_size", -3, "-3 is below 1"),
        ("finercam", "finercam_gamma", float("nan"), "nan is not a finite number"),
        ("finercam", "finercam_similar", "names", "choose from scores, weights"),
        ("smoothgradcam++", "smoothgradcam_nr_iter", 0, "0 is below 1"),
        ("sscam", "sscam_std", "much", "'much' is not a number"),
        ("taylorcam", "taylor_cell", -1, "-1 is below 0"),
        ("ablationcam", "ablation_divides", "maybe", "'maybe' is not one of True, False"),
        ("gradcam", "layers", {"layer4": 1}, "takes a word or a number"),
    ],
)
def test_options_are_checked_as_flags_are_before_a_map_is_made(name, option, value, words):
    with pytest.raises(UserError, match=re.escape(f"the attribution {name}: its `{option}`: ") + f".*{words}"):
        build_attribution(name, **{option: value})


def test_every_option_that_is_a_word_or_a_number_has_the_check_of_a_flag():
    options = {option for attribution in ATTRIBUTIONS.values() for option in attribution.options}
    assert options - {*flags_of()} == {"supersets", "noise"}


def test_numbers_of_numpy_and_lists_of_layers_are_taken():
    network, (images, targets) = tiny_network("CAM"), tiny_batch()
    for name, theirs, ours in (
        ("smoothgrad", {"smooth_grad_nr_iter": np.int64(2), "smooth_grad_sigma": np.float32(3)}, (2, 3.0)),
        ("layercam", {"layers": ["conv1", "conv2"]}, ("conv1,conv2",)),
    ):
        same = dict(zip(theirs, ours, strict=True))
        maps = [build_attribution(name, **options)(network, images, targets) for options in (theirs, same)]
        assert torch.equal(*maps)


@pytest.mark.parametrize(
    ("supersets", "words"),
    [
        ({y: ["1", "2"] for y in range(5)}, "superset of class . must list classes from 0 to 4"),
        ({y: y for y in range(5)}, "must list classes from 0 to 4"),
        ({y: [1.0] for y in range(5)}, "must list classes from 0 to 4"),
        ({y: [5] for y in range(5)}, "must list classes from 0 to 4"),
        ({str(y): [y] for y in range(5)}, "supersets lack class"),
        ([[y] for y in range(5)], "`supersets` should be {class: .classes.}, not a list"),
    ],
)
def test_wrong_supersets_are_one_sentence(supersets, words):
    network, (images, targets) = tiny_network("CALM_EM"), tiny_batch()
    with pytest.raises(UserError, match=words):
        build_attribution("subset", supersets=supersets)(network, images, targets)


@pytest.mark.parametrize("of", [set, tuple, np.array, torch.tensor])
def test_a_superset_may_be_of_any_kind(of):
    network, (images, targets) = tiny_network("CALM_EM"), tiny_batch()
    maps = [
        build_attribution("subset", supersets={y: form([y, 4]) for y in range(5)})(network, images, targets)
        for form in (list, of)
    ]
    torch.testing.assert_close(*maps)


@pytest.mark.parametrize(
    ("process", "method_flag", "network", "name"),
    [
        (None, "activation_map", "CAM", "cam"),
        (None, "activation_map", "CALM_EM", "joint"),
        (None, "backprop", "CALM_ML", "gradient"),
        ("vanilla", "activation_map", "CALM_ML", "cam"),
        ("vanilla", "backprop", "CAM", "gradient"),
        ("jointll", "activation_map", "CALM_EM", "joint"),
        ("smooth_grad", "activation_map", "CAM", "smoothgrad"),
        ("var_grad", "backprop", "CALM_EM", "vargrad"),
        ("gradcam", "activation_map", "CAM", "gradcam"),
    ],
)
def test_the_flags_name_an_attribution(process, method_flag, network, name):
    assert resolve_name(process, method_flag, network) == name


@pytest.mark.parametrize(
    ("process", "method_flag", "network", "words"),
    [
        ("jointll", "backprop", "CALM_EM", "does not go with `score_map_process`=jointll"),
        ("vanilla-saliency", "backprop", "CAM", "does not go with"),
        ("gtcond", "activation_map", "CAM", "`score_map_process`=gtcond needs CALM's prior"),
        ("vanilla", "forward", "CAM", "activation_map or backprop"),
    ],
)
def test_flags_that_contradict_each_other(process, method_flag, network, words):
    with pytest.raises(UserError, match=words):
        resolve_name(process, method_flag, network)


CHECKOUT = """
import sys
from attribution import build_attribution
import calm.attribution
assert build_attribution is calm.attribution.build_attribution
assert not {"torchcam", "captum"} & set(sys.modules)
calm.attribution.ATTRIBUTIONS
assert not {"torchcam", "captum"} & set(sys.modules)
"""


def test_a_checkout_gives_the_same_objects_without_the_slow_libraries():
    repository = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run([sys.executable, "-c", CHECKOUT], cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_attribution_of_one_s_own_needs_one_entry(monkeypatch):
    def distance(output, targets, *, power: float = 1.0):
        return (output.class_maps.amax(dim=1) - output.class_maps[range(len(targets)), targets]) ** power

    monkeypatch.setitem(ATTRIBUTIONS, "distance", Attribution(distance, "output", "class map", released=("far",)))
    network, (images, targets) = tiny_network("CAM"), tiny_batch()
    maps = build_attribution("far", power=2.0)(network, images, targets)
    with torch.no_grad():
        g = network(images).class_maps
    expected = torch.stack([(g[b].amax(dim=0) - g[b, y]) ** 2 for b, y in enumerate(targets.tolist())])
    assert torch.allclose(maps, expected) and options_of("distance") == {"power"}
    assert resolve_name("far", "activation_map", "CALM_ML") == "distance"
