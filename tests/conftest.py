"""Makes `tests` importable, so that builders of good rows can be shared between folders of tests."""
