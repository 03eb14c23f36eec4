"""Format answers for every interface: safe text, ages, coverage. Pure functions."""
