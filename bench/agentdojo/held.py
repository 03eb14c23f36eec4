"""The page's sections on `answerable.baseline`: prompt-blind first, then attested."""
