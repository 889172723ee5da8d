"""Cues of birds: which parts tell two classes apart, and where they are in an image."""
