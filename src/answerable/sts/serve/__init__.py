"""The process of the token service: what it is made of, how it starts and ends."""
