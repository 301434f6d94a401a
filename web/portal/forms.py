"""Values of a posted form."""

from uuid import UUID

from starlette.datastructures import FormData


def text_of(form: FormData, name: str) -> str:
    """A text field; a file or nothing is an empty text."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def ids_of(form: FormData) -> list[UUID]:
    """What is ticked under `ids`; what is no id is left out."""
    found = []
    for value in form.getlist("ids"):
        try:
            found.append(UUID(value if isinstance(value, str) else ""))
        except ValueError:
            continue
    return found
