"""Decision records shared by use cases."""
