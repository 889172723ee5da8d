"""Remove-and-classify (paper, Section 5.3)."""
