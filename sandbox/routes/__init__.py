"""HTTP routes of the sandbox, one file per thing a person or a test can touch."""
