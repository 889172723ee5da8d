"""Rules for the learning rate."""


def step_decay(epoch: int, frequency: int) -> float:
    """Factor on every learning rate: x0.1 at the start of epochs f, 2f, ..., counted from 1."""
    return 0.1 ** (epoch // frequency)
