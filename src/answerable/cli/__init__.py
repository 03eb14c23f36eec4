"""Command line: parse arguments, call one use case, render one document."""
