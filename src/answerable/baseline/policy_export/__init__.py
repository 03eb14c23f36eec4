"""Compile profiles and observed actions to policies of other systems."""
