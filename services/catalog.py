"""All services of one process, built once by its composition root."""

from dataclasses import dataclass

from services.accounts import Accounts
from services.contact import Contact
from services.domains import Domains
from services.foundation import Foundation
from services.hashing import Hashing
from services.limits import Limits
from services.onboarding import OnboardingGuide
from services.passwords import Passwords
from services.registrations import Registrations
from services.senders import Senders
from services.sending import Sending
from services.sessions import Sessions
from services.templates import Templates
from services.webhooks import Webhooks


@dataclass(frozen=True)
class Services:
    foundation: Foundation
    accounts: Accounts
    contact: Contact
    domains: Domains
    onboarding: OnboardingGuide
    passwords: Passwords
    registrations: Registrations
    senders: Senders
    sending: Sending
    sessions: Sessions
    templates: Templates
    webhooks: Webhooks


def build_services(foundation: Foundation) -> Services:
    """Wire every feature's service to the same foundation."""
    hashing, limits = Hashing(), Limits(foundation)
    registrations = Registrations(foundation, hashing, limits)
    return Services(
        foundation=foundation,
        accounts=Accounts(foundation),
        contact=Contact(foundation, limits),
        domains=Domains(foundation),
        onboarding=OnboardingGuide(foundation),
        passwords=Passwords(foundation, hashing, limits),
        registrations=registrations,
        senders=Senders(foundation),
        sending=Sending(foundation),
        sessions=Sessions(foundation, hashing, limits, registrations),
        templates=Templates(foundation),
        webhooks=Webhooks(foundation),
    )
