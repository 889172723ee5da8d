"""Pictures of images and their maps: palettes, a map over its image, and files of matplotlib's figures."""
