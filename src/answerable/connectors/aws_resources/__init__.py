"""AWS resources: their policies, public-access blocks, tags, and whose code they run."""
