"""The nouns: frozen, parsed once, without IO. One file each."""
