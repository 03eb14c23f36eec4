"""Rendering of documents for a terminal."""
