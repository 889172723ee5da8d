"""A trained network for others: in the Hugging Face layout with a model card, or as a file of another framework."""
