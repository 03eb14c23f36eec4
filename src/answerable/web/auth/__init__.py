"""Authentication of visitors: sessions, a one-time local token, bearer tokens."""
