"""The web page and `/api/v1`: what the command line answers, for whoever rather looks.

A route names what it takes, who may ask it, and the function that answers. The function
gets a desk (what there is to answer from), a visit (who asks) and what was asked; it
knows no HTTP. `routes.py` holds these words, `table.py` the one list of all routes.
"""
