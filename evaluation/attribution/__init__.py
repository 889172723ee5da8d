"""The metrics of the CAM literature, for many attributions at once."""
