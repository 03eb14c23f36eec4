"""Facts of an inventory, compiled for evaluation. Start at `accounts`."""
