"""Parse and encode AuthZEN messages. Pure."""
