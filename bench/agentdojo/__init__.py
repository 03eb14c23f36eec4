"""Scripted agents, honest and hijacked, on AgentDojo's tasks; no language model."""
