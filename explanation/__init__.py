"""One image explained: its maps as arrays, a sentence each, a figure, a self-contained page and a gallery."""
