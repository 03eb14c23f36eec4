"""What servers are shown in place of the caller's token, and that it never comes back."""
