"""Chaos: the pipeline under kills, and later other faults, on purpose; nothing here runs in a night.

Belongs here: campaigns that an operator or a test starts, their judges. Must not: anything the product needs.
"""
