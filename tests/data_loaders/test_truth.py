"""Boxes in the pixels of score maps, by hand."""

from calm.data_loaders.truth import scale_boxes


def test_scaled_boxes_are_truncated_not_rounded():
    scaled = scale_boxes([[103, 23, 203, 162], [0, 0, 250, 303]], (251, 304), (224, 224))
    assert scaled.tolist() == [[91, 16, 181, 119], [0, 0, 223, 223]]
