"""Programs of one machine as supervised children: PostgreSQL, Temporal and our own roles. Imports nothing of ours."""
