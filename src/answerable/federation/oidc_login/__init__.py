"""OpenID Connect sign-in of a person: requests, and validation of answers. Pure.

`flows/login.py` is the use case; `serving/login/` does the HTTP.
"""
