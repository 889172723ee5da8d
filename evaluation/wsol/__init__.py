"""Weakly supervised object localisation (paper, Section 5.4)."""
