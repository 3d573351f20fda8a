"""What ends a command: one line for stderr and an exit status."""


class Failed(Exception):  # noqa: N818 - the command failed; the text is the line that the user reads
    """Exit status 1. The text says what is wrong and what to do."""


def first_cause(error: BaseException) -> BaseException:
    """What failed first, without the groups it travelled in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
