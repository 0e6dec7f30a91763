"""The engine: takes a generation from its intent to its artifacts, once."""
