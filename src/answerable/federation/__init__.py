"""Verify pinned issuers' tokens, match trust rules, decide token exchanges. Pure."""
