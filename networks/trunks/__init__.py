"""Trunks, one file a family: layers, input normalisation, ImageNet weight names."""
