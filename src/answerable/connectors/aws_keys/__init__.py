"""AWS access-key connector: reads output of list-access-keys from files."""
