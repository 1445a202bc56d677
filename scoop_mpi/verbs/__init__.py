"""What is behind ``futures``: maps, reductions, waiting for several."""
