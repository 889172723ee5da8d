"""Tables of results: which runs fill which cell, and the formats they are written in."""
