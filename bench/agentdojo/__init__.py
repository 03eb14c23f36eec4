"""Scripted honest and hijacked agents on AgentDojo's tasks, without a language model."""
