"""The demo: the whole chain on a sample estate, in the terminal or in a browser."""
