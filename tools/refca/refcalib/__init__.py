"""Parts of the reference CA. Nothing here is shared with the gateway: it is a second opinion."""


class RefcaError(Exception):
    """What the user is told in one line; the command then ends with status 2."""
