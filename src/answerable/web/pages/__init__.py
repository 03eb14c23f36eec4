"""Handle the HTML pages: each module has routes and computes template values."""
