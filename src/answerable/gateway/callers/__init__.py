"""Who is calling: tokens, peers of a socket and parent processes become a `Caller`."""
