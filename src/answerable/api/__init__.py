"""Door: the decision point for those who enforce elsewhere. AuthZEN in, a decision out."""
