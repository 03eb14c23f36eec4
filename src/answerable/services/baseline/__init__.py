"""Learned profiles shared by use cases."""
