"""Text columns that hold JSON: sorted keys, no white space, so that the same value is the same text."""

from __future__ import annotations

from typing import TypeVar

import msgspec

_Value = TypeVar("_Value")
_ENCODER = msgspec.json.Encoder(order="sorted")


def to_json(value: object) -> str:
    """The JSON text of a value."""
    return _ENCODER.encode(value).decode()


def decoder(kind: type[_Value]) -> msgspec.json.Decoder[_Value]:
    """A decoder of one kind of column."""
    return msgspec.json.Decoder(kind)
