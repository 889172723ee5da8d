"""What ``peers.py`` compares: a function a file, inputs -> name of a pair -> pair."""
