"""What lies in a home beside the agent clients: ambient credentials, and who it is."""
