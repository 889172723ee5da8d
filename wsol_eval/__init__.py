"""Scores of maps against locations: boxes, masks and cues."""

from wsol_eval.max_box_acc import MaxBoxAcc
from wsol_eval.pxap import PxAP

__all__ = ["MaxBoxAcc", "PxAP"]
