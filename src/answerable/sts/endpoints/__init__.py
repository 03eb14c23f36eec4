"""The endpoints: each reads one request, calls one story, and writes one answer."""
