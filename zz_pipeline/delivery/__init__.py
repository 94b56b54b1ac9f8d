"""The protocol: how an accepted version gets to a platform exactly once, in its owner's name.

Belongs here: the state machine, lanes, rate budget, signing, the HTTP client.
Must not: knowledge of one platform's field names (that is `platforms/`), publishing decisions (`standard/`).
"""
