"""Flows: the stories, one file each. They hold no rules of their own."""
