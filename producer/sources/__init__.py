"""The live sources, one module each."""
