"""The whole estate at once, as rows of bits. Start at `whole`."""
