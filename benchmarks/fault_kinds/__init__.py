"""What may befall a run and its files, one function a fault: (``Birds``, random numbers) -> outcome."""
