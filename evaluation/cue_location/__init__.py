"""Cue localisation (paper, Section 5.2)."""
