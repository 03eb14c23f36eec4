"""Read GitHub organizations: saved REST answers, graph exports and the live API."""
