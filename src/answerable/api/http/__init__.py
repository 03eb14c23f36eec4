"""Connections of enforcement points, and which endpoint takes what."""
