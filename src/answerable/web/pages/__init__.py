"""HTML pages: each module has routes and prepares the values of templates."""
