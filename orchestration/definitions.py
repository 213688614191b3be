"""The code location that workspace.yaml names: the lake that the environment points at."""

from lakehouse.contracts import load_contracts
from lakehouse.settings import Settings
from orchestration.code_location import build

_settings = Settings.from_environment()

defs = build(_settings, load_contracts(_settings.contracts))
