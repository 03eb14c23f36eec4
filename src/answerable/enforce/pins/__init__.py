"""Pins: what servers say of their tools, and what of it is held back."""
