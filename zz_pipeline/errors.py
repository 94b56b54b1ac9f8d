"""The error tree. A class says what to do next, the message (Chinese) says what happened, to what, and the remedy.

Belongs here: exception classes only. Must not: handling, logging, record contents (messages reach people and logs).

    ZzError
    ├── ConfigError        someone must edit a configuration file; retrying is useless
    ├── SourceError        a department's source cannot be read tonight; its watermark stays; next night tries again
    │   ├── SourceDown       not reachable: may be tried again in the same night
    │   └── SourceRefused    reachable, but the content is not acceptable (a bomb, a wrong file, an emptied export)
    ├── StandardError      the pipeline's own tables contradict each other; stop before any record moves
    │   └── UnknownYear      the working-day table does not know the year: get the State Council's notice, edit workdays.csv
    ├── CheckError         the check engine itself failed (errored is not passed): the batch stops
    ├── LedgerError        the business database refuses or is not whole: stop before the next effect
    │   ├── FenceLost        another process took the lane over: exit and write nothing
    │   └── AuditBroken      the audit chain is not whole or cannot be written: no sending
    └── DeliveryError      a platform cannot be served now; rows keep their state
        ├── AuthRefused      401/403: the lane stops at once, a person must mend the credential
        ├── ClockWrong       our clock and the platform's differ too much: set the clock, then send again
        ├── NotRenderable    a record cannot be said in the platform's words: a defect before this point, it stays here
        ├── WrongPlatform    /health names another platform or environment: nothing is sent
        └── OwnerGate        a record would leave in another department's name: a defect of ours, nothing is sent
"""


class ZzError(Exception):
    """Base of all errors that are meant for a person; `str(error)` is plain Chinese."""

    retry: bool = False


class ConfigError(ZzError):
    """A configuration file must be edited."""


class SourceError(ZzError):
    """A department's source cannot be read tonight."""


class SourceDown(SourceError):
    """The source is not reachable."""

    retry = True


class SourceRefused(SourceError):
    """The source's content is not acceptable."""


class StandardError(ZzError):
    """The tables of the standard contradict each other."""


class UnknownYear(StandardError):
    """The working-day table does not know the year."""


class CheckError(ZzError):
    """The check engine failed; errored is never passed."""


class LedgerError(ZzError):
    """The business database refuses or is not whole."""


class FenceLost(LedgerError):
    """Another process took the lane over."""


class AuditBroken(LedgerError):
    """The audit chain is not whole or cannot be written."""


class DeliveryError(ZzError):
    """A platform cannot be served now."""

    retry = True


class AuthRefused(DeliveryError):
    """The platform refuses the credential."""

    retry = False


class ClockWrong(DeliveryError):
    """Our clock and the platform's differ too much."""

    retry = False


class NotRenderable(DeliveryError):
    """A record cannot be said in the platform's words."""

    retry = False


class WrongPlatform(DeliveryError):
    """The address answers as another platform or environment."""

    retry = False


class OwnerGate(DeliveryError):
    """A record would leave in another department's name."""

    retry = False
