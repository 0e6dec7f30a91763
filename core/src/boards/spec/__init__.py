"""The generator language: documents in YAML become frozen specs, compiled once to closures."""
