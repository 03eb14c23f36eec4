"""`answerable run`: starts an agent that the token service knows before it begins."""
