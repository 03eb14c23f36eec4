"""AuthZEN messages: parsing and encoding. Pure."""
