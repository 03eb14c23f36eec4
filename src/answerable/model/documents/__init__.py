"""Documents that commands, API and web pages answer with."""
