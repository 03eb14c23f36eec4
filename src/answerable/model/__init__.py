"""Domain types: frozen, parsed once, without IO; one file each."""
