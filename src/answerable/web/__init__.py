"""Serve the HTML pages and the REST API `/api/v1`, with the documents of the CLI.

A route names its parameters, the required permissions and its handler. A handler gets
the cache over the store, the visitor and the parsed request; it knows no HTTP.
`routing.py` defines these types, `route_table.py` lists all routes.
"""
