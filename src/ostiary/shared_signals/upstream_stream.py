"""Our stream at an upstream provider: made by its management API (SSF 1.0 section 8), and fetched from (RFC 8936)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ostiary.errors import ConfigurationError, Unavailable, VerificationError
from ostiary.fetching.guarded import Fetched
from ostiary.model.signal import POLL, PUSH
from ostiary.protocol import strict_json
from ostiary.protocol.checks import shown
from ostiary.protocol.metadata import check_https_url, transmitter_url
from ostiary.secret_files import read_secret_file
from ostiary.settings.upstream_signals import UpstreamSignalSettings
from ostiary.shared_signals.reception import PATH, WANTED, Source, error_code, record_refusal, take, verified
from ostiary.user_authentication.upstream.answer import client_proof
from ostiary.user_authentication.upstream.request import providers

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

AT_ONCE: Final = 20
"""Events of one request: an answer of the provider is at most 64 KiB."""

ROUNDS: Final = 50
"""Requests of one round of the chore, so that a provider without end does not keep it forever."""

LOOKED_AT_AGAIN_AFTER: Final = 3600
"""Seconds after which it is looked at again whether our stream is still as we want it."""

log = logging.getLogger("ostiary.signals")


class UpstreamStream:
    """One provider's; for a chore of its own. signals: the settings, with ``source`` among those of the server."""

    def __init__(self, server: AuthorizationServer, source: Source, signals: UpstreamSignalSettings) -> None:
        self._server = server
        self._source = source
        self._signals = signals
        self._token = ""
        self._token_until = 0.0
        self._poll_url = signals.poll_url or ""
        self._ready_until = 0.0

    async def round(self) -> int:
        """Have our stream there, and fetch what waits; how many events were taken. A fault is said in the log."""
        try:
            if self._signals.manage and self._server.clock() >= self._ready_until:
                await self._make_ready()
            return await self._fetch() if self._signals.delivery == "poll" else 0
        except (Unavailable, VerificationError, ConfigurationError) as error:
            self._ready_until = self._token_until = 0.0
            log.warning("the stream of upstream.%s is tried again: %s", self._source.name, error)
            return 0

    # -- the stream ---------------------------------------------------------------------------------------------------

    async def _make_ready(self) -> None:
        endpoint = await self._management()
        found = _list(await self._call(endpoint))
        wanted = self._wanted()
        if not found:
            stream = _object(await self._call(endpoint, wanted))
        else:
            stream = found[0]
            if not self._is_as_wanted(stream):
                change = {"stream_id": stream.get("stream_id"), **wanted}
                stream = _object(await self._call(endpoint, change, method="PATCH"))
        self._poll_url = self._poll_endpoint(stream) if self._signals.delivery == "poll" else ""
        self._ready_until = self._server.clock() + LOOKED_AT_AGAIN_AFTER

    async def _management(self) -> str:
        """The configuration endpoint. Raises VerificationError: the description is of another issuer (SSF 7.2.4)."""
        issuer = self._source.settings.issuer
        answer = await providers(self._server).ask(transmitter_url(issuer))
        members = _object(answer)
        if members.get("issuer") != issuer:
            raise VerificationError(
                "issuer", "the transmitter is another", seen=shown(members.get("issuer")), expected=issuer
            )
        return check_https_url(str(members.get("configuration_endpoint")), "configuration_endpoint")

    def _wanted(self) -> dict[str, object]:
        events = list(self._signals.events or WANTED)
        delivery: dict[str, object] = {"method": POLL}
        if self._signals.push_secret_file is not None:
            secret = read_secret_file(self._signals.push_secret_file).decode("utf-8").strip()
            delivery = {"method": PUSH, "endpoint_url": self._place(), "authorization_header": f"Bearer {secret}"}
        return {"delivery": delivery, "events_requested": events}

    def _place(self) -> str:
        return f"{self._server.issuer.rstrip('/')}{PATH}{self._source.name}"

    def _is_as_wanted(self, stream: dict[str, object]) -> bool:
        delivery = stream.get("delivery")
        if not isinstance(delivery, dict) or stream.get("events_requested") != list(self._signals.events or WANTED):
            return False
        if self._signals.delivery == "poll":
            return delivery.get("method") == POLL
        # Whether it has our present secret cannot be seen: the secret is sent again at each start of a process.
        known = self._ready_until > 0
        return known and delivery.get("method") == PUSH and delivery.get("endpoint_url") == self._place()

    @staticmethod
    def _poll_endpoint(stream: dict[str, object]) -> str:
        delivery = stream.get("delivery")
        url = delivery.get("endpoint_url") if isinstance(delivery, dict) else None
        return check_https_url(str(url), "the endpoint_url of the stream")

    # -- fetching -----------------------------------------------------------------------------------------------------

    async def _fetch(self) -> int:
        acknowledged: list[str] = []
        errors: dict[str, object] = {}
        taken = 0
        for _ in range(ROUNDS):
            asked: dict[str, object] = {"maxEvents": AT_ONCE, "returnImmediately": True}
            asked |= ({"ack": acknowledged} if acknowledged else {}) | ({"setErrs": errors} if errors else {})
            tokens = _object(await self._call(self._poll_url, asked)).get("sets")
            acknowledged, errors = [], {}
            if not isinstance(tokens, dict) or not tokens:
                break
            for jti, token in tokens.items():
                if (complaint := await self._one(jti, token)) is None:
                    acknowledged.append(jti)
                else:
                    errors[jti] = complaint
            taken += len(acknowledged)
        return taken

    async def _one(self, jti: str, token: object) -> dict[str, str] | None:
        """None if it was taken, else what the provider is told. Raises Unavailable: then it comes again."""
        try:
            event = await verified(self._server, self._source, token if isinstance(token, str) else "")
            if event.jti != jti:
                # RFC 8936 2.3: the names of the members are the "jti" of the tokens.
                raise VerificationError("jti", "another jti than announced", seen=shown(event.jti), expected=shown(jti))
            await take(self._server, self._source, event)
        except VerificationError as error:
            await record_refusal(self._server, self._source, error.check, error.seen, error.expected)
            return {"err": error_code(error.check), "description": error.public}
        return None

    async def _call(self, url: str, members: dict[str, object] | None = None, *, method: str = "") -> Fetched:
        authorization = f"Bearer {await self._access_token()}"
        answer = await providers(self._server).call(url, members, authorization=authorization, method=method)
        if answer.status not in (200, 201):
            raise Unavailable("upstream", f"{url} answered {answer.status}")
        return answer

    async def _access_token(self) -> str:
        """Of our own there, by the client's credentials; kept until shortly before its end."""
        now = self._server.clock()
        if now < self._token_until:
            return self._token
        settings = self._source.settings
        endpoint = (await providers(self._server).metadata(settings)).token_endpoint
        if endpoint is None:
            raise Unavailable("upstream", f"the metadata of {settings.issuer} names no token_endpoint")
        form = {"grant_type": "client_credentials", "scope": self._signals.scope}
        form |= {"resource": self._signals.resource} if self._signals.resource is not None else {}
        proof, authorization = client_proof(settings, now)
        answer = await providers(self._server).ask(endpoint, form=form | proof, authorization=authorization)
        members = _object(answer)
        token, life = members.get("access_token"), members.get("expires_in", 60)
        if not isinstance(token, str) or not isinstance(life, int):
            raise Unavailable("upstream", f"the token endpoint of {settings.issuer} gave no token")
        self._token, self._token_until = token, now + max(life - 30, 0)
        return token


def _object(answer: Fetched) -> dict[str, object]:
    if answer.status not in (200, 201):
        raise Unavailable("upstream", f"it answered {answer.status}: {shown(answer.body[:200].decode('latin-1'))}")
    return strict_json.decode_object(answer.body)


def _list(answer: Fetched) -> list[dict[str, object]]:
    """The streams that a provider lists: an array, which strict_json does not read by itself."""
    members = strict_json.decode_object(b'{"streams":' + answer.body + b"}").get("streams")
    listed = members if isinstance(members, list) else [members]
    return [one for one in listed if isinstance(one, dict)]
