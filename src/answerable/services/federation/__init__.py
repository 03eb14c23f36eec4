"""Trust rules, sign-in and token exchange records shared by use cases."""
