"""Questions and answers about permissions shared by use cases."""
