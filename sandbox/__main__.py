"""``python -m sandbox``: the pretend Internet alone, without the rest of Songda."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from sandbox.config import SandboxConfig, SandboxError
from sandbox.run import serve


def main() -> int:
    """Parse the options, serve, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path(".sandbox"), help="folder of its one file")
    parser.add_argument("--port-base", type=int, default=8600, help="pages +1, DNS +5, SMTP +6 (default 8600)")
    parser.add_argument("--time-scale", type=float, default=60.0, help="divides the pauses between tries (default 60)")
    options = parser.parse_args()
    base = options.port_base
    config = SandboxConfig(
        options.data_dir, web_port=base + 1, dns_port=base + 5, smtp_port=base + 6, time_scale=options.time_scale
    )
    try:
        asyncio.run(serve(config))
    except SandboxError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
