"""The maps of a network whose heads never learnt: what trunk, grid and resize give without knowledge of the classes."""

import copy
from dataclasses import replace

import torch

from calm.attribution import output_attribution
from calm.evaluation.raw_maps import attribution_options
from calm.evaluation.session import Session
from calm.networks.network import Network
from calm.networks.trunks.initialise import initialise

SEED = 0
"""Of the first weights."""


def with_untrained_heads(network: Network) -> Network:
    """A network with the trunk of another, and layers of its own for the head, drawn as before its training."""
    trunk = {id(module): module for name, module in network.named_children() if name not in network.head_layers}
    fresh = copy.deepcopy(network, trunk)  # what it knows already stays as it is
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        for layer in fresh.head_layers:
            initialise(fresh.get_submodule(layer).cpu(), fresh.draw_weight)
    return fresh.to(next(network.parameters()).device).eval()


def untrained(session: Session, map_name: str, *, versus: bool = False) -> Session | None:
    """The same evaluation of the network with untrained heads; None where its maps would cost too much, or none exist.

    That is: maps from files, and maps that need more than one pass of the network. ``versus`` is that of
    ``raw_maps.attribution_options``.
    """
    if session.args.get("scoremap_root") is not None or session.restored is None:
        return None
    options = attribution_options(session, map_name, versus=versus)
    if output_attribution(map_name, **options, **({"versus": 0} if versus else {})) is None:  # any class will do here
        return None
    restored = session.restored._replace(network=with_untrained_heads(session.network))
    return replace(session, restored=restored, beside=session)
