"""Protect the clients of a home: plan, apply and undo."""
