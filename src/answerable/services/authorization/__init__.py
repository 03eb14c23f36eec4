"""Read decision records and approval requests for several use cases."""
