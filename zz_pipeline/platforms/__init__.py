"""Our side of each contract: build a batch, read an answer, ask what became of it; one module a platform.

Belongs here: wire field names, codes of answers, paths. Written from the contract pages alone.
Must not: state transitions, retries, sending by itself (a `Call` is handed in), database access.
"""
