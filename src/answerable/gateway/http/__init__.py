"""The gateway over HTTP: a door for clients, and the way to servers behind it."""
