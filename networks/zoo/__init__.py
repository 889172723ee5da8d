"""Published weights by name: python -m networks.zoo list | fetch NAME."""
