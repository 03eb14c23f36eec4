"""Evidence of every evaluation, on its way to disk before the answer."""
