"""An InfluxDB as a server: lines go in, answers to InfluxQL come out, anything else is a StoreError with a remedy.

Lines travel through influxdb-client to /api/v2/write where the server has it, and by plain HTTP to /write where it has
not (InfluxDB before 1.8). Questions go to /query, the one way of reading that 1.x, 2.x and 3 share. Every request ends
after store.influx.timeout_s. An error inside an answer with status 200 is an error.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3

from phongmay_store.errors import StoreError, StoreRefused
from phongmay_store.settings import InfluxSettings

MOST_BYTES = 2 << 20
"""Of lines in one request, unless a block has more: some 5,000 rounds, the batch at which InfluxDB is quickest."""
_LONG_URL = 4000
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its tags, and its rows as mappings from column to value."""

    name: str
    tags: Mapping[str, str]
    columns: Sequence[str]
    values: Sequence[Sequence[Any]]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give the rows."""
        for values in self.values:
            yield dict(zip(self.columns, values, strict=True))


class InfluxServer:
    """One InfluxDB; opening it asks nothing of the network.

    Args:
        settings: where it is and what it wants to see.

    Raises:
        StoreError: the address is none, or the file with the secret cannot be used.
    """

    def __init__(self, settings: InfluxSettings) -> None:
        self.settings = settings
        self.url = _address(settings)
        if not settings.database:
            raise StoreError("store.influx.database is empty; give it a name, or leave the key out")
        self._secret = _secret(settings)
        self._headers = _headers(settings, self._secret)
        self._authority = _authority(settings)
        timeout = urllib3.Timeout(connect=min(5.0, settings.timeout_s), read=settings.timeout_s)
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=timeout, ca_certs=self._authority)
        self._lines: Any = None
        self._has_v2_write: bool | None = None

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    # ---- writing -----------------------------------------------------------------------------------------------------

    def write(self, database: str, blocks: Iterable[bytes]) -> None:
        """Write blocks of whole lines with times in nanoseconds; when this returns, the server has them.

        They are never taken apart again: a text in a line may hold line ends.

        Raises:
            StoreError: it did not take all of them; writing the same lines again later does no harm.
        """
        request: list[bytes] = []
        size = 0
        for block in blocks:
            if request and size + len(block) > MOST_BYTES:
                self._write(database, b"\n".join(request))
                request, size = [], 0
            request.append(block)
            size += len(block) + 1
        if request:
            self._write(database, b"\n".join(request))

    def _write(self, database: str, lines: bytes) -> None:
        if self._has_v2_write is None:
            self._has_v2_write = self.settings.version != "1" or self.version() >= (1, 8)
        if self._has_v2_write:
            self._write_v2(database, lines)
            return
        path = "/write?" + urlencode({"db": database, "precision": "ns"})
        answer = self.request("POST", path, lines)
        if answer.status not in (200, 204):
            self.complain(answer.status, answer.data, database)

    def _write_v2(self, database: str, lines: bytes) -> None:
        # Imported here: it costs 140 ms and 17 MB, and only the collector writes.
        from influxdb_client.client.influxdb_client import InfluxDBClient
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.domain.write_precision import WritePrecision
        from influxdb_client.rest import ApiException

        if self._lines is None:
            milliseconds = int(self.settings.timeout_s * 1000)
            self._lines = InfluxDBClient(
                self.url,
                token=self._secret or "none",
                org=self.settings.org,
                timeout=milliseconds,
                ssl_ca_cert=self._authority,
            )
        try:
            writer = self._lines.write_api(write_options=SYNCHRONOUS)
            writer.write(database, self.settings.org, lines, write_precision=WritePrecision.NS)
        except ApiException as error:
            if isinstance(error.__context__, urllib3.exceptions.SSLError):  # the only one that the client wraps
                self._silent(error.__context__)
            self.complain(int(error.status or 0), str(error.body or error.reason or "").encode(), database)
        except urllib3.exceptions.HTTPError as error:
            self._silent(error)

    # ---- reading -----------------------------------------------------------------------------------------------------

    def query(self, database: str, statement: str, *, change: bool = False) -> list[Series]:
        """Ask in InfluxQL; several statements give their series one behind the other.

        Args:
            database: to be asked.
            statement: literals in it are made by `influx_words`.
            change: it is an order (CREATE ...), not a question.

        Raises:
            StoreError: the server does not answer, or answers with an error.
        """
        return [series for result in self.results(database, statement, change=change) for series in result]

    def results(self, database: str, statement: str, *, change: bool = False) -> list[list[Series]]:
        """Ask several statements at once; gives the series of each."""
        asked = urlencode({"db": database, "epoch": "ns", "q": statement})
        if change or len(asked) > _LONG_URL:
            answer = self.request("POST", "/query", asked.encode(), "application/x-www-form-urlencoded")
        else:
            answer = self.request("GET", f"/query?{asked}")
        if answer.status != 200:
            self.complain(answer.status, answer.data, database)
        try:
            told = msgspec.json.decode(answer.data)
            error = told.get("error") or next((one["error"] for one in told.get("results", ()) if "error" in one), "")
            if error:
                self.complain(200, str(error).encode(), database)
            return [
                [
                    Series(one.get("name", ""), one.get("tags") or {}, one["columns"], one.get("values", ()))
                    for one in result.get("series", ())
                ]
                for result in told["results"]
            ]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"InfluxDB {self.url} answers what is no answer to InfluxQL ({error!r})") from error

    def version(self) -> tuple[int, int]:
        """Ask which release it is."""
        answer = self.request("GET", "/ping")
        told = answer.headers.get("X-Influxdb-Version", "")
        found = _VERSION.match(told)
        if found is None:
            raise StoreError(
                f"store.influx.url {self.url}: GET /ping tells no version (status {answer.status}); is it an InfluxDB?"
            )
        return int(found[1]), int(found[2])

    def require_version(self) -> None:
        """Hold store.influx.version against what the server says of itself; one that says nothing is believed.

        Raises:
            StoreError: the server is of another version, or does not answer.
        """
        told = self.request("GET", "/ping").headers.get("X-Influxdb-Version", "")
        found = _VERSION.match(told)
        if found is not None and found[1] != self.settings.version:
            raise StoreError(
                f"store.influx.version is {self.settings.version!r}, but InfluxDB {self.url} says that it is {told}: "
                f'set store.influx.version = "{found[1]}", or store.influx.url to another server'
            )

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> urllib3.BaseHTTPResponse:
        """Send one request.

        Raises:
            StoreError: no answer came in time.
        """
        headers = {**self._headers, "Content-Type": kind} if kind else self._headers
        try:
            return self._pool.request(method, self.url + path, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            self._silent(error)

    def _silent(self, error: Exception) -> NoReturn:
        cause = getattr(error, "reason", None) or error  # influxdb-client's pool wraps what its connection said
        if isinstance(cause, urllib3.exceptions.SSLError):
            if "CERTIFICATE_VERIFY_FAILED" in str(cause):
                said = str(cause).partition("CERTIFICATE_VERIFY_FAILED] ")[2].partition(" (_ssl")[0]
                raise StoreError(
                    f"InfluxDB {self.url} shows a certificate that is not trusted ({said}); set store.influx.ca_file "
                    "to the CA that signed it, and store.influx.url to a name that stands in it"
                ) from error
            raise StoreError(
                f"InfluxDB {self.url} speaks no TLS that we know ({' '.join(str(cause).split())[:200]}); see "
                "store.influx.url: http:// where the server has no certificate"
            ) from error
        raise StoreError(
            f"InfluxDB {self.url} does not answer ({type(error).__name__}); see that it runs and that store.influx.url "
            "is right"
        ) from error

    def complain(self, status: int, body: bytes, database: str) -> NoReturn:
        """Turn a refusal into a sentence.

        Raises:
            StoreError: always.
        """
        said = _said(body)
        where = f"InfluxDB {self.url}"
        wanted = "user:password" if self.settings.version == "1" else "a token with the right to read and write"
        if status == 401:
            raise StoreError(f"{where} refuses us ({status}: {said}); store.influx.auth must name a file with {wanted}")
        if status == 403:
            who = "the user" if self.settings.version == "1" else "the token"
            raise StoreError(
                f"{where} refuses us ({status}: {said}); {who} of store.influx.auth lacks the right: grant it (for "
                "'phongmay store init' that of an administrator), or name another file"
            )
        if "database not found" in said or ("bucket" in said and "not found" in said):
            raise StoreError(f"{where} has no database {database!r}: run 'phongmay store init'")
        if status == 404:
            raise StoreError(
                f"{where} knows no such address ({said}): see that store.influx.version is right, and that "
                "store.influx.url holds no path that the server does not have"
            )
        if "type conflict" in said:
            raise StoreError(
                f"{where}: a field in database {database!r} has another type than ours ({said}); types never change: "
                "find who else writes there, or give this store a database of its own (store.influx.database)"
            )
        if "retention policy" in said:
            raise StoreError(
                f"{where} keeps rounds for a shorter time than store.raw_days ({said}): run 'phongmay store init'"
            )
        # A 400 is about these lines and no others; everything else may be otherwise in a moment.
        raise (StoreRefused if status == 400 else StoreError)(f"{where} refuses ({status}: {said})")


def _said(body: bytes) -> str:
    """Give what a body says, in one line."""
    try:
        told = msgspec.json.decode(body)
        text = str(told.get("error") or told.get("message") or told) if isinstance(told, dict) else str(told)
    except msgspec.DecodeError:
        text = body.decode("utf-8", "replace")
    return " ".join(text.split())[:300] or "no reason given"


def _secret(settings: InfluxSettings) -> str:
    if not settings.auth:
        return ""
    path = Path(settings.auth)
    try:
        secret = path.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"store.influx.auth {path}: the secret cannot be read ({error})") from error
    if not secret or "\n" in secret:
        raise StoreError(f"store.influx.auth {path}: must hold the secret in one line")
    if settings.version == "1" and ":" not in secret:
        raise StoreError(f"store.influx.auth {path}: for version 1 the line must be user:password")
    if settings.version != "1" and not (secret.isascii() and secret.isprintable()):
        raise StoreError(f"store.influx.auth {path}: a token has ASCII letters, digits and signs only")
    return secret


def _address(settings: InfluxSettings) -> str:
    """Give the server's address without a stroke at its end."""
    text = settings.url.rstrip("/")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query + parts.fragment
        usable = usable and parts.port != 0  # reading it raises beyond 65535
    except ValueError:
        usable = False
    if usable and (parts.username or parts.password):
        raise StoreError("store.influx.url holds a secret; put it into the file that store.influx.auth names")
    if not usable:
        told = settings.url if "@" not in settings.url else "(not shown: it may hold a secret)"
        raise StoreError(f"store.influx.url {told!r} is no address; write http://HOST:PORT or https://...")
    return text


def _authority(settings: InfluxSettings) -> str | None:
    """Give the file of the CA, after a look into it; None = those that the system trusts."""
    if not settings.ca_file:
        return None
    try:
        ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        raise StoreError(
            f"store.influx.ca_file {settings.ca_file}: no certificate of a CA (PEM) can be read ({error})"
        ) from error
    return settings.ca_file


def _headers(settings: InfluxSettings, secret: str) -> dict[str, str]:
    headers = {"User-Agent": "phongmay", "Accept": "application/json"}
    if secret and settings.version == "1":
        return headers | {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return headers | {"Authorization": f"Token {secret}"} if secret else headers
