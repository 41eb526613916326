"""The one exception that a user is meant to read."""


class CTError(Exception):
    """Something the user can mend; the message is one sentence that names it and says what to do."""


class DiskFullError(CTError):
    """There is no room for an output now."""


def reason(error: OSError) -> str:
    """Why the system refused, as part of a sentence."""
    return (error.strerror or type(error).__name__).lower()
