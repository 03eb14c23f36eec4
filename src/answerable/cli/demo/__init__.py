"""Demo of the whole chain on sample data, in the terminal or in a browser."""
