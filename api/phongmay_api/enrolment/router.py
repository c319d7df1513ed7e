"""Routes of enrolment: a technician makes a token, a machine turns it into its identity."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request

from phongmay_api.access.scope import CurrentScope
from phongmay_api.context import RegisterSession, Shared
from phongmay_api.enrolment import queries
from phongmay_api.enrolment.schemas import BrokerOut, EnrolmentIn, EnrolmentOut, TokenIn, TokenOut
from phongmay_api.problems import Problem, too_many
from phongmay_api.routing import api_router
from phongmay_store.register.enrolment import EnrolmentError

router = api_router("enrolment")
_STATUS = {
    "bad_token": HTTPStatus.FORBIDDEN,
    "expired_token": HTTPStatus.FORBIDDEN,
    "used_token": HTTPStatus.FORBIDDEN,
    "unknown_code": HTTPStatus.NOT_FOUND,
    "already_enrolled": HTTPStatus.CONFLICT,
}


@router.post("/enrolments", status_code=201, summary="Enrol a machine")
def enrol(context: Shared, session: RegisterSession, request: Request, wanted: EnrolmentIn) -> EnrolmentOut:
    """Turn an enrolment token into a device id and a secret. Needs no key: the token is the permission."""
    address = request.client.host if request.client else ""
    if wait := context.enrolment_by_address.attempt(address):
        raise too_many(wait)
    try:
        identity = queries.new_identity(session, wanted, context.seal)
    except EnrolmentError as error:
        raise Problem(_STATUS[error.code], error.code, str(error)) from error
    context.enrolment_by_address.forgive(address)
    settings = context.settings
    broker = BrokerOut(host=settings.broker_host, port=settings.broker_port, ca=context.broker_ca)
    return EnrolmentOut(device_id=identity.device_id, secret=identity.secret, broker=broker)


@router.post("/enrolment-tokens", status_code=201, summary="Make an enrolment token")
def make_token(scope: CurrentScope, wanted: TokenIn) -> TokenOut:
    """Make an expiring, counted token with which machines become devices of a school."""
    text, ends = queries.new_token(scope, wanted)
    return TokenOut(token=text, unit=wanted.unit, room=wanted.room, uses=wanted.uses, expires_at=ends)
