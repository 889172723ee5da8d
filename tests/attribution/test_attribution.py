import subprocess
import sys
from pathlib import Path

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
