"""OpenID Connect sign-in of a person: requests, and validation of answers. Pure.

`usecases/federation/sign_in_person.py` is the use case; `server/login/` does the HTTP.
"""
