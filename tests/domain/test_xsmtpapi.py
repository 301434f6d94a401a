"""X-SMTPAPI of hostile customers: bounded before it is followed (domain/xsmtpapi.py)."""

import json
import tracemalloc

import pytest

from domain.xsmtpapi import BadXsmtpapi, Fault, read

TO = {"to": ["a@x.test"]}


@pytest.mark.parametrize("names", [1, 50])
def test_a_long_section_that_is_named_many_times_is_refused_before_it_is_written(names: int) -> None:
    """200 KB would take two gigabytes."""
    sub = {f"%v{n}%": ["%m%" * (2_000 // names)] for n in range(names)}
    text = json.dumps(TO | {"sub": sub, "section": {"%m%": "x" * 100_000}})
    tracemalloc.start()
    try:
        with pytest.raises(BadXsmtpapi) as bad:
            read(text)
        assert bad.value.fault is Fault.SHAPE
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_sections_of_usual_length_are_written_as_often_as_they_are_named() -> None:
    said = read(json.dumps(TO | {"sub": {"v": ["%m%" * 10]}, "section": {"m": "x" * 1_000}}))
    assert said is not None and said.values == [{"v": "x" * 10_000}]


@pytest.mark.parametrize(
    "text",
    [
        r'{"to": ["a@x.test"], "sub": {"v": ["\ud800"]}}',
        r'{"to": ["a\udfff@x.test"]}',
        r'{"to": ["a@x.test"], "sub": {"\ud800": ["x"]}}',
    ],
)
def test_half_a_character_is_no_text(text: str) -> None:
    with pytest.raises(BadXsmtpapi) as bad:
        read(text)
    assert bad.value.value.encode()
