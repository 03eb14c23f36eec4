"""Authenticate visitors: sessions, a one-time local token, bearer tokens."""
