"""The token service: OAuth in, one exchange under a rule, a short-lived token out."""
