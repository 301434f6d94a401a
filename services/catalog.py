"""All services of one process, built once by its composition root."""

from dataclasses import dataclass

from services.foundation import Foundation


@dataclass(frozen=True)
class Services:
    foundation: Foundation


def build_services(foundation: Foundation) -> Services:
    """Wire every feature's service to the same foundation."""
    return Services(foundation=foundation)
