"""Pure parsers that more than one connector reads with; they never touch the world."""
