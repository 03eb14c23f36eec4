"""Notifications of owners about denied calls that they could allow."""
