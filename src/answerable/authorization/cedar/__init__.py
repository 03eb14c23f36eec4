"""Load, validate, compile and evaluate Cedar policies."""
