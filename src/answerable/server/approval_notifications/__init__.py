"""Notify owners of denied calls that they could allow."""
