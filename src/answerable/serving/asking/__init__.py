"""What was held back, told to whoever could let it pass."""
