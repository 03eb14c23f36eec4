"""Verb: a request, the policy in force -> a decision. Pure."""
