"""Functions of the rules, by topic."""
