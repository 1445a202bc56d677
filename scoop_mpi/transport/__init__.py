"""How messages move between ranks: one protocol, two implementations."""
