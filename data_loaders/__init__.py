"""Data sets: their own files -> metadata text -> records -> images, boxes and masks."""
