"""The pins of a gateway: files in its state folder, and what each process holds by them."""
