"""REST API `/api/v1`: the documents of the command line, under the same names."""
