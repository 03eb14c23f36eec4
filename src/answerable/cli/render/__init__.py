"""Render documents as text for a terminal."""
