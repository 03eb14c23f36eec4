"""Verify and record token exchanges, sign-ins and trust rules for several use cases."""
