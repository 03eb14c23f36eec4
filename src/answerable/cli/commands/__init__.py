"""Commands, one module per part of the chain; each calls one use case."""
