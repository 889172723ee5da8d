"""What the eval_* scripts measure: the protocols, the counts and the pictures of each."""
