"""What ails a few lamp posts, so that there is a sensor to find for each kind of trouble.

Nothing here is refused when it lands: every value is one that a working sensor might have told.
Only a sensor's own history and its neighbours show that it is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sample_city.chance import seeded

Kind = Literal["stuck", "drifting", "spiking", "battery", "radio", "silent"]

FAULTS: Final[Mapping[Kind, str]] = {
    "stuck": "stuck_value",
    "drifting": "drifting_value",
    "spiking": "spike",
    "battery": "failing_battery",
    "radio": "lost_uplink",
    "silent": "silent_device",
}
"""The name under which the summary counts each kind, by uplink."""

_LOSS_CHANCE: Final = 0.35
_SPIKE_CHANCE: Final = 0.08
_SPIKE_C: Final = 9.0
_DRIFT_PPM: Final = 0.35
"""How far the carbon dioxide sensor drifts in a quarter of an hour: 34 ppm a day."""
_DROOP_MV: Final = 1.4


@dataclass
class Ailment:
    """What one device has, and since when.

    Attributes:
        kind: What is wrong.
        since: Number of the slot in which it begins.
    """

    kind: Kind
    since: int
    _held: float | None = field(default=None, init=False)

    def befall(self, reading: dict[str, float], index: int, eui: str, seed: int) -> str | None:
        """Change what the device reads in a slot.

        Args:
            reading: Values by key; changed in place.
            index: Number of the slot.
            eui: The device.
            seed: The city's seed.

        Returns:
            The fault that befell, by its name in the summary; None for none.
        """
        if index < self.since:
            return None
        # A generator of its own for each slot: the healthy draw what they drew before.
        chance = seeded(seed, "kista_multisensor", eui, "ailment", index).random()
        fault: str | None = FAULTS[self.kind]
        if self.kind == "stuck":
            self._held = reading["temperature"] if self._held is None else self._held
            reading["temperature"] = self._held
        elif self.kind == "drifting":
            reading["co2"] = round(reading["co2"] + _DRIFT_PPM * (index - self.since))
        elif self.kind == "battery":
            reading["vdd"] = round(reading["vdd"] - _DROOP_MV * (index - self.since))
        elif self.kind == "spiking" and chance < _SPIKE_CHANCE:
            reading["temperature"] = round(reading["temperature"] + _SPIKE_C, 1)
        elif self.kind == "spiking" or (self.kind == "radio" and chance >= _LOSS_CHANCE):
            fault = None
        return fault
