"""Signed claims: a token of a pinned issuer becomes something to decide by. Pure."""
