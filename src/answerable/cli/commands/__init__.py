"""Command modules of the command line; each command calls one use case."""
