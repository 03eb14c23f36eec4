"""What lies in a project beside the agent clients: workflows, owners, its own name."""
