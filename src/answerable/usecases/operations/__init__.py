"""Use cases of operation: checks of the installation."""
