"""Parsers for a home's ambient credentials and its person."""
