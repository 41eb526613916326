"""The one exception that a user is meant to read."""


class CTError(Exception):
    """Something the user can mend; the message is one sentence that names it and says what to do."""
