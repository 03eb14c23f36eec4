"""Deterministic generator of an AWS organisation.

`make.organization` makes it, `details.details` writes one account of it the way the API
would, `diversity.diversity` says how different its policies are.
"""
