"""What can keep a stack from starting, in one line each."""


class CannotStart(Exception):
    """The message is one line for the operator: what is wrong and the way out."""
