"""Demonstrate the product on sample data, in the terminal or in a browser."""
