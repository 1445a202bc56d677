"""What a function or class is on every rank: what goes by name, what by value."""
