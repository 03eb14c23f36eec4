"""Build the requests of an OpenID Connect sign-in, and validate responses. Pure.

`usecases/federation/sign_in_person.py` is the use case; `server/login/` does the HTTP.
"""
