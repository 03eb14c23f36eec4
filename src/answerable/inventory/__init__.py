"""Join the sightings of all sources into an inventory, with an owner for each entity.

`sync_join` merges the facts of all sources; `name_resolution` finds an id by user input.
The package is pure: time is an argument.
"""
