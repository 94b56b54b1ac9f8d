"""Fixtures of the delivery tests. Belongs here: names of fixtures. Must not: what they do."""

from tests.pipeline.postgres import postgres

__all__ = ["postgres"]
