"""Evidence store: the only package that touches the store's files or runs SQL."""
