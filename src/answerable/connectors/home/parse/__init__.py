"""Parse a home's ambient credential files, and find its person."""
