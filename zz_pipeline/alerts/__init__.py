"""Telling people what needs them: what is wrong now (`watch`), what of it is news (`outbox`), the sending (`send`).

Belongs here: troubles, messages about them, channels. Must not: mending anything, personal data, contents of records.
"""
