"""AWS access keys: list-access-keys answers from files."""
