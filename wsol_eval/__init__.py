"""Scores of maps against locations: boxes, masks and cues."""

from calm.wsol_eval.max_box_acc import MaxBoxAcc
from calm.wsol_eval.pxap import PxAP

__all__ = ["MaxBoxAcc", "PxAP"]
