"""Configuration connector: reads `answerable.yaml`."""
