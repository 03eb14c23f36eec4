"""Record evaluations as evidence, before they are answered."""
