"""Metadata text files from a data set's own files: python -m data_loaders.prepare CUB --data_root dataset."""
