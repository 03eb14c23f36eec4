"""Shared server runtime: sockets, HTTP, caller authentication, issuer keys, records.

A door translates one protocol; what it stands on is the same for each and stands here.
"""
