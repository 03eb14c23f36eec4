"""`/api/v1`: the documents of the command line, by the same names."""
