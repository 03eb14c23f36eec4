"""Evidence of evaluations, written before the answer."""
