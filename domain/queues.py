"""Task queues of Temporal (design §3)."""

CONTROL = "control"
"""Human-paced processes."""
EXPRESS = "express"
"""Small requests: relay, workflow and page on one worker, so that eager start works."""
BULK = "bulk"
"""Campaign pages."""
