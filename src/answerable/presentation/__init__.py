"""Format results for every interface: safe text, ages, coverage. Pure functions."""
