"""Use cases of federation: exchange, sign-in, trust rules."""
