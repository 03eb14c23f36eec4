"""Derive who caused an audit event: person, agent, tool, identity, with evidence."""
