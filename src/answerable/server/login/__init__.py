"""Do the IO of a sign-in: OpenID provider, loopback listener, browser."""
