"""Use cases of authorization: decide, explain, approve."""
