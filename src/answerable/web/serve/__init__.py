"""The process: what it is made of, how it starts and ends."""
