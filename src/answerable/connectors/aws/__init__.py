"""AWS IAM: an account's authorization details from a file, or live."""
