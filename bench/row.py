"""One figure: what was measured, beside the floor that was measured with it, and the aim."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a figure is to be: its value, or its ratio to the floor, on this side of a limit."""

    of: Literal["value", "ratio"]
    side: Literal["under", "at least"]
    limit: float

    def met(self, value: float, ratio: float | None) -> bool:
        """Tell whether the aim is met."""
        measured = value if self.of == "value" else ratio
        if measured is None:
            return False
        return measured < self.limit if self.side == "under" else measured >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        samples: one value for each round, in `unit`.
        floor: what the floor is; empty where there is none.
        floor_samples: its values, in the same rounds.

    """

    group: str
    figure: str
    unit: str
    samples: Sequence[float]
    floor: str = ""
    floor_samples: Sequence[float] = ()
    aim: Aim | None = None

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.samples)

    @property
    def floor_value(self) -> float | None:
        """The median of the floor's rounds."""
        return median(self.floor_samples) if self.floor_samples else None

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' own ratios: a machine that drifts does so for both."""
        if not self.floor_samples:
            return None
        pairs = zip(self.samples, self.floor_samples, strict=True)
        return median(value / floor for value, floor in pairs)

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None where there is none."""
        return None if self.aim is None else self.aim.met(self.value, self.ratio)

    def document(self) -> dict[str, Any]:
        """Give the row for the JSON document."""
        aim = self.aim
        return {
            "group": self.group,
            "figure": self.figure,
            "unit": self.unit,
            "value": self.value,
            "samples": list(self.samples),
            "floor": self.floor or None,
            "floorValue": self.floor_value,
            "floorSamples": list(self.floor_samples),
            "ratio": self.ratio,
            "aim": {"of": aim.of, "side": aim.side, "limit": aim.limit} if aim else None,
            "met": self.met,
        }
