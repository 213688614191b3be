"""Who did it, without saying who it is.

`SJOSTAD_ACTOR` names a role or a service. Without it the user of the operating system is told by
a pseudonym: HMAC-SHA256 under a key of this home, so that one person's lines can be seen to belong
together, and be told apart by whoever has the key and a name to try. Removing the key ends that
for good. (A pseudonym is still personal data in the sense of GDPR article 4(5); the key is what
makes it one.)
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pwd
import re
import secrets
from typing import Final

from lakehouse.audit_log.personal import reason_to_refuse
from lakehouse.errors import Problem, SettingsError
from lakehouse.settings import Settings
from lakehouse.signatures.keys import secret_made_once

KEY_NAME: Final = "actors.key"
_ROLE: Final = re.compile(r"[a-z][a-z0-9_.-]{1,39}")


def actor_of(settings: Settings) -> str:
    """The name that lines of this process bear.

    Raises:
        SettingsError: `SJOSTAD_ACTOR` is no role, or the key can be read by others.
    """
    if not settings.actor:
        key = secret_made_once(settings.keys / KEY_NAME, lambda: secrets.token_bytes(32))
        return "user-" + hmac.new(key, _user().encode(), hashlib.sha256).hexdigest()[:16]
    if not _ROLE.fullmatch(settings.actor) or reason_to_refuse(settings.actor):
        raise SettingsError(
            Problem(
                "SJOSTAD_ACTOR",
                "this is not the name of a role or a service",
                "Write one such as data-steward or nightly: a-z, 0-9, '.', '_', '-', no person.",
            )
        )
    return settings.actor


def _user() -> str:
    """The user by the process itself; variables such as LOGNAME are anybody's to set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # containers run as numbers that nobody has named
        return str(os.getuid())
