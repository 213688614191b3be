"""Serve assistants over stdio: `python -m publishing.assistant`, set by SJOSTAD_* variables."""

from lakehouse.settings import Settings
from publishing.assistant.server import serve

if __name__ == "__main__":
    serve(Settings.from_environment())
