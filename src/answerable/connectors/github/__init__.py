"""GitHub connector: reads saved REST responses, graph exports and the live API."""
