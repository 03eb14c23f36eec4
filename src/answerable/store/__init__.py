"""The store: the only room that touches the store's files or runs SQL."""
