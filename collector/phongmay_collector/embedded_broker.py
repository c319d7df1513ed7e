"""The embedded broker: amqtt on loopback, for looking at the system where Mosquitto is not installed.

In: the files that `broker_files` generates for Mosquitto, read again when they change. Out: MQTT 3.1.1 with the same
users and rights, until SIGTERM. It is not for proving: it forgets all when it ends, drops what is not acknowledged in
5 s, does not throw out a client that is revoked while connected, and knows no MQTT 5. So it refuses other addresses.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal

from phongmay_collector.broker_files import BrokerFiles
from phongmay_collector.broker_rights import Rights
from phongmay_collector.log import event
from phongmay_collector.settings import BrokerSettings
from phongmay_contract.errors import OperatorError

try:
    # amqtt has annotations but no py.typed, so mypy sees it as Any
    from amqtt.broker import Broker  # type: ignore[import-untyped]
    from amqtt.contexts import Action, BrokerConfig, ListenerConfig  # type: ignore[import-untyped]
    from amqtt.errors import BrokerError  # type: ignore[import-untyped]
    from amqtt.session import Session  # type: ignore[import-untyped]
except ImportError as error:
    raise OperatorError(
        "the embedded broker needs the package amqtt: install Mosquitto (apt install mosquitto) or "
        "'phongmay[server,embedded]'"
    ) from error


class _Broker(Broker):  # type: ignore[misc] # as above
    """amqtt with our rights.

    They are asked directly instead of through amqtt's plugins (0.12.1, pinned): those suspend between the subscriptions
    of a message, and a subscription that comes in just then makes amqtt lose the message.
    """

    def __init__(self, rights: Rights, config: BrokerConfig) -> None:
        super().__init__(config)
        self._rights = rights

    async def _authenticate(self, session: Session, _: ListenerConfig) -> bool:
        # Mosquitto makes the user name the client id (use_username_as_clientid); here they must be equal.
        return session.client_id == session.username and self._rights.is_user(session.username, session.password)

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        asked = self._rights.may_publish if action is Action.PUBLISH else self._rights.may_receive
        return asked(session.username or "", topic)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # On every connect amqtt goes through the subscriptions of all clients; only the client's own count.
        if any(subscriber is session for subscriber, _ in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)


def run(settings: BrokerSettings) -> None:
    """Run the broker until SIGTERM or SIGINT.

    Raises:
        OperatorError: the address is not loopback, or cannot be listened on.
    """
    if not _is_loopback(settings.bind):
        raise OperatorError(
            f"broker.bind {settings.bind}: the embedded broker listens on loopback only; install Mosquitto for others"
        )
    for name in ("amqtt", "transitions", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    asyncio.run(_serve(settings))


async def _serve(settings: BrokerSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = BrokerConfig(listeners={"default": ListenerConfig(bind=f"{settings.bind}:{settings.port}")}, plugins={})
    broker = _Broker(Rights(BrokerFiles(settings.directory)), config)
    try:
        await broker.start()
    except BrokerError as error:
        raise OperatorError(
            f"broker.port {settings.port} on broker.bind {settings.bind} cannot be used ({error})"
        ) from error
    event("embedded_broker_started", bind=settings.bind, port=settings.port, note="for looking only")
    await stop.wait()
    await broker.shutdown()


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
