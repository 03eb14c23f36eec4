"""Parse a project's workflows, code owners and name."""
