"""What-if analysis of policy edits: their effect, and minimal cuts."""
