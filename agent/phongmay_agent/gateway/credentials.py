"""With what the router is asked: the table [router] and its secret files go in, what the SNMP child is told comes out.

Secrets lie in files that their owner alone may open, never in the settings, on a command line or in a log. A missing,
open or impossible one is a CredentialsError naming key, file and remedy.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from phongmay_contract.errors import OperatorError

if TYPE_CHECKING:
    from phongmay_agent.settings import RouterSettings

NONE = "none"
AUTH_PROTOCOLS = ("md5", "sha", "sha224", "sha256", "sha384", "sha512")
PRIVACY_PROTOCOLS = ("des", "aes", "aes192", "aes256")
_SHORTEST = 8
"""RFC 3414 asks for passwords of at least so many characters."""


class CredentialsError(OperatorError):
    """What the router is to be asked with cannot be used."""


def credentials(router: RouterSettings) -> dict[str, str]:
    """Read the secrets of [router].

    Raises:
        CredentialsError: one is missing, open to others, too short, or the protocols do not go together.
    """
    if router.snmp == "2c":
        return {"community": _secret("community_file", router.community_file)}
    if not router.user:
        raise CredentialsError("'router.user' is missing; expected the name of a user of the router's SNMP 3")
    signs, encrypts = router.auth_protocol != NONE, router.privacy_protocol != NONE
    if encrypts and not signs:
        raise CredentialsError(
            "'router.auth_protocol' is none, yet 'router.privacy_protocol' is not: SNMP 3 encrypts nothing unsigned"
        )
    return {
        "user": router.user,
        "auth_protocol": router.auth_protocol,
        "auth_key": _secret("auth_file", router.auth_file, _SHORTEST) if signs else "",
        "privacy_protocol": router.privacy_protocol,
        "privacy_key": _secret("privacy_file", router.privacy_file, _SHORTEST) if encrypts else "",
    }


def _secret(key: str, path: Path, shortest: int = 1) -> str:
    where = f"'router.{key}' {path}"
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise CredentialsError(f"{where}: others than its owner may open it; run: chmod 600 {path}")
        secret = path.read_text("utf-8").strip()
    except OSError as error:
        raise CredentialsError(f"{where}: {error.strerror}; write the secret into it, readable by the agent") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"{where} is not UTF-8 text") from None
    if len(secret) < shortest:
        least = f"shorter than {shortest} characters" if secret else "empty"
        raise CredentialsError(f"{where} is {least}; write the secret into it")
    return secret
