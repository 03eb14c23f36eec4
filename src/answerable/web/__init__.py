"""Web interface: HTML pages and `/api/v1`, with the answers of the command line.

A route names its parameters, the required permissions and its handler. A handler gets
the cache over the store, the visitor and the parsed request; it knows no HTTP.
`routes.py` defines these types, `table.py` lists all routes.
"""
