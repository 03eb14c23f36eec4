"""AWS resources: policies, public access blocks, tags and execution roles."""
