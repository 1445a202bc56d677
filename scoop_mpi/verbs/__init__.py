"""The verbs behind ``futures``: maps, reductions, waiting for several futures."""
