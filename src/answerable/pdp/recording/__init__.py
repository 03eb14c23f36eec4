"""Record evaluations as evidence, before the response."""
