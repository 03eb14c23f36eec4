"""A generated organisation: the same size and seed always make the same facts.

`make.organization` makes it, `details.details` writes one account of it the way the API
would, `diversity.diversity` says how different its policies are.
"""
