"""Which IP addresses this machine has."""

import socket


def bind_problem(address: str) -> str:
    """Why no socket can be bound to an address; empty: one can, so mail can be sent from it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except (OSError, ValueError) as error:
        return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "no address"
    return ""
