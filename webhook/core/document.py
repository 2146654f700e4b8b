"""What ImageScan and NotebookPolicy documents share: faults with paths, and field types by Kubernetes' conventions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

API_VERSION: Literal["nbgate.dev/v1alpha1"] = "nbgate.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a document: the field's path, and what is wrong as a clause."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


class InvalidDocument(ValueError):
    """A document breaks its format; `faults` holds everything that is wrong with it, not just the first."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


class Strict(BaseModel):
    """A model that guesses nothing: no type is coerced, no unknown field passes, values never change."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )


class Lenient(BaseModel):
    """Types are strict; a field that a newer scanner adds passes, so that an upgrade hides no result."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], document: Mapping[str, Any]) -> Model:
    """Validate a parsed document. Raises InvalidDocument with every fault."""
    try:
        return model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidDocument(*(_fault(detail) for detail in details)) from None


def _fault(detail: ErrorDetails) -> Fault:
    match detail["type"]:
        case "extra_forbidden":
            problem = "is not a field here; check its spelling and where it stands"
        case "missing":
            problem = "is missing"
        case "value_error":
            problem = detail["msg"].partition(", ")[2]
        case "literal_error":
            problem = f"must be {detail['ctx']['expected']}"
        case "string_too_short":
            problem = "must not be empty"
        case kind if kind in _WRONG_TYPES:
            problem = _WRONG_TYPES[kind]
        case _:
            problem = detail["msg"][0].lower() + detail["msg"][1:]
    return Fault(_path(detail["loc"]), problem)


_WRONG_TYPES = {
    "tuple_type": "must be a list; leave it out for none",
    "model_type": "must be an object; leave it out for its defaults",
    "model_attributes_type": "must be an object; leave it out for its defaults",
    "dict_type": "must be an object; leave it out for its defaults",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
}


def _path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step != "[key]":
            shown = step if _PLAIN.fullmatch(step) else repr(step[:60])
            path += f".{shown}" if path else shown
    return path


_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,60}")

# Go's time.ParseDuration as far as whole units go, which is what people write in manifests.
_DURATION = re.compile(r"(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")


def parse_duration(value: str) -> int:
    """Read a duration like `168h` or `1h30m` into seconds. Raises ValueError with the cure."""
    found = _DURATION.fullmatch(value)
    if not value or found is None:
        raise ValueError('must be a duration in hours, minutes and seconds, like "168h" or "1h30m"')
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not total:
        raise ValueError('must be longer than nothing, like "168h"')
    return total


def _duration(value: str) -> str:
    parse_duration(value)
    return value


# The schemas are for the custom resources' definitions (deploy/crds), whose patterns are unanchored unless they say so.
Duration = Annotated[
    str,
    AfterValidator(_duration),
    WithJsonSchema({"type": "string", "minLength": 1, "pattern": f"^{_DURATION.pattern}$"}),
]

# RFC 3339 as Kubernetes writes it (metav1.Time), with fractions and offsets accepted.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})",
)
# The years 1 to 9999 in UTC: what is read must be writable again, whatever its zone was.
_FIRST_TIME, _LAST_TIME = -62135596800.0, 253402300799.0


def parse_time(value: str) -> float:
    """Read an RFC 3339 time into seconds since the epoch. Raises ValueError with the cure."""
    if _TIME.fullmatch(value):
        try:
            # cuts nanoseconds to the microseconds that it holds
            seconds = datetime.fromisoformat(value.upper()).timestamp()
        except (ValueError, OverflowError):
            seconds = _LAST_TIME + 1
        if _FIRST_TIME <= seconds <= _LAST_TIME:
            return seconds
    raise ValueError('must be a time like "2026-01-31T12:00:00Z"')


def format_time(seconds: float) -> str:
    """Write seconds since the epoch as Kubernetes does: UTC, whole seconds, `Z`."""
    # Not strftime: before the year 1000 its %Y has fewer than four digits on Linux, and parse_time wants four.
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:19] + "Z"


def _time(value: str) -> str:
    parse_time(value)
    return value


Time = Annotated[
    str, AfterValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})
]


def _text_of(value: object) -> str:
    return str(value)


AsText = PlainSerializer(_text_of, return_type=str)


class ObjectMeta(BaseModel):
    """The part of Kubernetes' metadata that nbgate reads; the rest is the API server's business and passes.

    Attributes:
        name: of the object.
        generation: counts the changes of the spec; the API server does.
        labels: keys and values.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", alias_generator=to_camel)

    name: str
    generation: int | None = None
    labels: dict[str, str] | None = None


class Condition(Lenient):
    """A condition by Kubernetes' conventions (metav1.Condition).

    Attributes:
        type: what it is about, in CamelCase.
        status: whether it holds.
        reason: why, as one word in CamelCase that programs may rest on.
        message: why, in words for people.
        last_transition_time: since when the status is as it is.
    """

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str = ""
    message: str = ""
    last_transition_time: Time | None = None
