"""Groups of `zz` commands: thin, call the core, speak Chinese.

Belongs here: arguments and what the terminal shows. Must not: steps, SQL, wire.
"""
