"""Evidence store on disk: the only package that opens its files or runs SQL on it."""
