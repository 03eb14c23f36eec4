"""OpenGraph connector: reads graphs that other collectors exported."""
