"""A small pretend Internet for one machine: DNS, mailbox providers, a webhook catcher, pages.

It imports nothing else of Songda; ``python -m sandbox`` runs it alone.
"""
