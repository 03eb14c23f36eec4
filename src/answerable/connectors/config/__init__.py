"""The configuration file, `answerable.yaml`."""
