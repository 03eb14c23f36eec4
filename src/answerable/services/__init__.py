"""Read the store, connectors and pure packages for several use cases."""
