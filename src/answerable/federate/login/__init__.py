"""A person's sign-in at an OpenID provider: what we ask, what we take for an answer.

Pure. `flows/login.py` tells the story; the sockets stand in `serving/login/`.
"""
