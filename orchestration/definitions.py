"""The code location that workspace.yaml names: the lake that the environment points at."""

from lakehouse.settings import Settings
from orchestration.code_location import build
from orchestration.lake import open_lake

_settings = Settings.from_environment()

defs = build(_settings, open_lake(_settings))
