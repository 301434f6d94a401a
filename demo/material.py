"""What the demo sends: the user's files, or the ones that ship with Songda."""

from pathlib import Path

from demo.parties import DemoFailure
from demo.scene import Material

SAMPLES = Path(__file__).parent / "samples"
ENCODINGS = ("utf-8-sig", "gb18030")


def load(recipients: Path | None, html: Path | None) -> Material:
    """Raises `DemoFailure` that names the file and what is wrong with it."""
    page = _read(html or SAMPLES / "letter.html")
    return Material(_read(recipients or SAMPLES / "contacts.csv"), _text(page, html))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DemoFailure(f"{path}: {error.strerror}. Name a file that can be read.") from error


def _text(page: bytes, path: Path | None) -> str:
    for encoding in ENCODINGS:
        try:
            return page.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DemoFailure(f"{path}: neither UTF-8 nor GB18030. Save the page as UTF-8.")
