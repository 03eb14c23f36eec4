"""IO of a sign-in: OpenID provider, loopback listener, and browser."""
