"""Pins of a gateway: files in its state folder, and their enforcement."""
