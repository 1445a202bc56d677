"""How ranks agree on functions and classes: which travel by name, and which by value."""
