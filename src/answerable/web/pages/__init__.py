"""The screens: a file each gives routes, and makes of documents what a template shows."""
