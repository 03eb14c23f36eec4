"""AWS IAM connector: reads an account's IAM details from a file or the live API."""
