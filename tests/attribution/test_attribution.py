import pytest
import torch

from calm.attribution import (
    ATTRIBUTIONS,
    OUTPUT_MAPS,
    PRIOR_MAPS,
    RELEASED_NAMES,
    build_attribution,
    canonical_name,
    output_attribution,
    resolve_name,
)
from calm.errors import UserError
from tests.tiny_networks import tiny_batch, tiny_network

OPTIONS = {"supersets": {y: [y] for y in range(5)}, "versus": 0, "smooth_grad_nr_iter": 2, "sscam_nr_iter": 1}


@pytest.mark.parametrize("released", RELEASED_NAMES)
def test_either_name_gives_the_same_map(released):
    assert canonical_name(released) in ATTRIBUTIONS
    network, (images, targets) = tiny_network("CALM_EM"), tiny_batch()
    theirs = build_attribution(released, **OPTIONS)(network, images, targets)
    ours = build_attribution(canonical_name(released), **OPTIONS)(network, images, targets)
    assert torch.equal(theirs, ours)


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_one_output_serves_as_well_as_a_call(name):
    network, (images, targets) = tiny_network("CALM_EM"), tiny_batch()
    from_output = output_attribution(name, **OPTIONS)
    if name not in OUTPUT_MAPS:
        assert from_output is None
        return
    with torch.no_grad():
        output = network(images)
    assert torch.equal(from_output(output, targets), build_attribution(name, **OPTIONS)(network, images, targets))


@pytest.mark.parametrize("name", sorted(PRIOR_MAPS))
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
        ("jointll", "backprop", "CALM_EM", "does not go with --score_map_process jointll"),
        ("vanilla-saliency", "backprop", "CAM", "does not go with"),
        ("gtcond", "activation_map", "CAM", "--score_map_process gtcond needs CALM's prior"),
        ("vanilla", "forward", "CAM", "activation_map or backprop"),
    ],
)
def test_flags_that_contradict_each_other(process, method_flag, network, words):
    with pytest.raises(UserError, match=words):
        resolve_name(process, method_flag, network)
