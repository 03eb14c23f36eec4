"""Domain types: frozen dataclasses, validated once, without I/O; one file for each."""
