"""What-if analysis of policy edits: changed permissions, and minimal cuts."""
