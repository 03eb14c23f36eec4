"""Security token service: OAuth token exchange under trust rules, short-lived tokens."""
