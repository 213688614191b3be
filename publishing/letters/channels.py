"""How letters reach people: a file always, and by mail or to a webhook where that is set up.

`SJOSTAD_LETTERS` names the channel: `smtp://host:25` (a relay within the city), `smtps://host:465`
with `SJOSTAD_SMTP_USER` and `SJOSTAD_SMTP_PASSWORD`, or `https://…` for a webhook that takes JSON.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from email.message import EmailMessage
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx2

from lakehouse.errors import Problem, SettingsError
from lakehouse.settings import Settings
from publishing.letters import Letter, keep

_TIMEOUT_S: Final = 10.0
_LOOPBACK: Final = ("127.0.0.1", "localhost")


def deliver(settings: Settings, letter: Letter) -> str | None:
    """Keep a letter, and send it by the channel that is set up.

    Returns:
        Why it could not be sent, without anything secret; None if it was, or no channel is set up.

    Raises:
        SettingsError: The channel cannot be understood.
    """
    path = keep(settings, letter)
    if not settings.letters_to:
        return None
    address = _address(settings.letters_to)
    try:
        if address.scheme in ("https", "http"):
            _post(address, letter)
        else:
            _mail(address, letter)
    except (OSError, smtplib.SMTPException, httpx2.HTTPError) as error:
        return f"{path.name} was not sent to {address.hostname}: {type(error).__name__}"
    return None


def _address(text: str) -> SplitResult:
    address = urlsplit(text)
    is_plain_web = address.scheme == "http" and address.hostname not in _LOOPBACK
    if address.scheme not in ("smtp", "smtps", "https", "http") or not address.hostname:
        what = "this names no channel"
    elif is_plain_web:
        what = "a webhook is only sent to over https"
    else:
        return address
    raise SettingsError(
        Problem("SJOSTAD_LETTERS", what, "Write smtp://host:25, smtps://host:465 or https://….")
    )


def _mail(address: SplitResult, letter: Letter) -> None:
    message = EmailMessage()
    message["From"] = os.environ.get("SJOSTAD_LETTERS_FROM", "sjostad@localhost")
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message.set_content(letter.body)
    host = address.hostname or ""
    if address.scheme == "smtps":
        context = ssl.create_default_context()
        with smtplib.SMTP_SSL(
            host, address.port or 465, timeout=_TIMEOUT_S, context=context
        ) as server:
            user = os.environ.get("SJOSTAD_SMTP_USER")
            if user:
                server.login(user, os.environ.get("SJOSTAD_SMTP_PASSWORD", ""))
            server.send_message(message)
        return
    with smtplib.SMTP(host, address.port or 25, timeout=_TIMEOUT_S) as server:
        server.send_message(message)


def _post(address: SplitResult, letter: Letter) -> None:
    told = {
        "product": letter.product,
        "to": letter.to,
        "subject": letter.subject,
        "text": letter.body,
    }
    with httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        client.post(address.geturl(), json=told).raise_for_status()
