"""What every request may use: settings, the register's sessions, the series and the rule pack; made once per app."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from phongmay_api.quality.queries import QualityCache
from phongmay_api.settings import ApiSettings
from phongmay_api.throttle import Throttle
from phongmay_rules.model import Pack
from phongmay_store.attachments import AttachmentFolder
from phongmay_store.register.sealing import Seal
from phongmay_store.series.interface import SeriesReader

SeriesOpener = Callable[[], AbstractContextManager[SeriesReader]]
"""Opens the series for one request; StoreError when they cannot be read."""
_QUARTER_HOUR = 900.0


@dataclass(frozen=True)
class Context:
    """Everything that the routes share.

    Attributes:
        quality: the scores of the data, of the last minute.
        interval_s: seconds between evaluations of the engine, for an evaluation out of turn.
        seal: seals command keys at enrolment.
        broker_ca: certificates that the broker's comes from, told at enrolment; "" = agents speak without TLS.
        sign_in_by_login_and_address: few attempts, so that guessing one password is slow.
        sign_in_by_login: more attempts, so that many addresses together cannot guess it either.
        sign_in_by_address: for one address that tries many logins.
        enrolment_by_address: wrong tokens only; a room of 45 PCs behind one address must get through.
    """

    settings: ApiSettings
    engine: Engine
    sessions: sessionmaker[Session]
    series: SeriesOpener
    pack: Pack
    attachments: AttachmentFolder
    interval_s: float
    seal: Seal | None = None
    broker_ca: str = ""
    quality: QualityCache = field(default_factory=QualityCache)
    sign_in_by_login_and_address: Throttle = field(default_factory=lambda: Throttle(5, _QUARTER_HOUR))
    sign_in_by_login: Throttle = field(default_factory=lambda: Throttle(50, _QUARTER_HOUR))
    sign_in_by_address: Throttle = field(default_factory=lambda: Throttle(40, _QUARTER_HOUR))
    enrolment_by_address: Throttle = field(default_factory=lambda: Throttle(100, _QUARTER_HOUR))


def current_context(request: Request) -> Context:
    """Give the application's context."""
    context: Context = request.app.state.context
    return context


Shared = Annotated[Context, Depends(current_context)]


def register_session(context: Shared) -> Iterator[Session]:
    """Open the register for one request. Routes get it inside their Scope; only public ones ask for it directly."""
    with context.sessions() as session:
        yield session


RegisterSession = Annotated[Session, Depends(register_session)]


def series_reader(context: Shared) -> Iterator[SeriesReader]:
    """Open the series for one request."""
    with context.series() as reader:
        yield reader


Series = Annotated[SeriesReader, Depends(series_reader)]
