"""Connector of the configuration file, `answerable.yaml`."""
