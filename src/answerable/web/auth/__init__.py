"""How a visitor is known: sessions, a one-time token on this machine, OpenID Connect."""
