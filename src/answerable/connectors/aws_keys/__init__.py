"""AWS access-key connector: reads list-access-keys answers from files."""
