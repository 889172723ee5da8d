"""Training methods, one file a method: head, loss, objective and default map, in one record."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from calm.errors import UserError
from calm.networks.heads import Head
from calm.networks.methods.acol import ACOL
from calm.networks.methods.adl import ADL
from calm.networks.methods.base import Method, Objective
from calm.networks.methods.calm_em import CALM_EM
from calm.networks.methods.calm_ml import CALM_ML
from calm.networks.methods.cam import CAM
from calm.networks.methods.cutmix import CUTMIX, CUTMIX_CALM_EM, CUTMIX_CALM_ML
from calm.networks.methods.gradient_loss import WithGradientLoss
from calm.networks.methods.has import HAS, HAS_CALM_EM, HAS_CALM_ML
from calm.networks.methods.inca_like import INCA_LIKE
from calm.networks.methods.lfi_cam import LFI_CAM
from calm.networks.methods.spg_network import SPG
from calm.networks.options import chosen, options_of

__all__ = ["METHODS", "Method", "Objective", "build_head", "build_objective", "canonical_method"]

METHODS: dict[str, Method] = {
    "CAM": CAM,
    "CALM_ML": CALM_ML,
    "CALM_EM": CALM_EM,
    "HaS": HAS,
    "CutMix": CUTMIX,
    "ADL": ADL,
    "ACoL": ACOL,
    "SPG": SPG,
    "LFI_CAM": LFI_CAM,
    "HaS_CALM_ML": HAS_CALM_ML,
    "HaS_CALM_EM": HAS_CALM_EM,
    "CutMix_CALM_ML": CUTMIX_CALM_ML,
    "CutMix_CALM_EM": CUTMIX_CALM_EM,
    "InCA_like": INCA_LIKE,
}
"""Training method -> its record."""


def canonical_method(name: str) -> str:
    """Our spelling of a training method's name; case, and hyphens for underscores, do not matter."""
    names = {known.lower(): known for known in METHODS}
    canonical = names.get(name.strip().lower().replace("-", "_"))
    if canonical is None:
        raise UserError(f"`attribution_method` {name!r} is unknown: choose {', '.join(METHODS)}")
    return canonical


def build_head(method: str, options: Mapping[str, Any]) -> Head:
    """The head of a method with those of ``options`` that it takes; one that no head takes is a ``UserError``."""
    known = {option for record in METHODS.values() for option in options_of(record.head)}
    if unknown := sorted(set(options) - known):
        raise UserError(f"unknown option `{unknown[0]}`; heads take {', '.join(sorted(known))}")
    head = METHODS[method].head
    return head(**chosen(head, options))


def build_objective(method: str, network: nn.Module, values: Mapping[str, Any]) -> Objective:
    """The objective of a method, with the interpretable-gradient loss where ``gradient_loss`` asks for it.

    Args:
        method: a key of ``METHODS``.
        network: on its device, not wrapped.
        values: options by name, those of other methods among them, which must then have their default.

    Raises:
        UserError: an option of another method is set.
    """
    record = METHODS[method]
    own = options_of(record.objective)
    for other, foreign in METHODS.items():
        for option, default in options_of(foreign.objective).items():
            if option not in own and values.get(option, default) != default:
                raise UserError(f"`{option}`={values[option]} belongs to {other}, not to {method}")
    objective = record.objective(record.loss, network, **chosen(record.objective, values))
    if values.get("gradient_loss") is None:
        return objective
    return WithGradientLoss(objective, **chosen(WithGradientLoss, values))
