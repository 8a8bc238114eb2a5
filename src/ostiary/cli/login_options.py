"""The options of ``ostiary client create`` and ``client change`` for applications that sign users in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import typer

from ostiary.admin.login_commands import GrantTypeName, LoginChanges, NewLogin
from ostiary.cli import mutual_tls_options
from ostiary.errors import ConfigurationError
from ostiary.model.application_uris import is_web_address
from ostiary.model.client import AuthenticationMethod

_SECRET_METHODS: dict[str, AuthenticationMethod] = {"basic": "client_secret_basic", "post": "client_secret_post"}
Texts = list[str] | None
Text = str | None

_BOTH: dict[str, Any] = {
    "redirect_uris": Annotated[
        Texts, typer.Option("--redirect-uri", help="Where users are sent back to, compared as a whole; repeatable.")
    ],
    "post_logout_redirect_uris": Annotated[
        Texts, typer.Option("--post-logout-uri", help="Where they may be sent after signing out; repeatable.")
    ],
    "first_party": Annotated[
        bool | None,
        typer.Option("--first-party/--third-party", help="The operator's own: users are not asked for consent."),
    ],
    "require_pkce": Annotated[
        bool | None,
        typer.Option("--pkce/--no-pkce", help="Exempt a web application that authenticates; it must use nonce."),
    ],
    "id_token_alg": Annotated[Text, typer.Option("--id-token-alg", help="Of its ID tokens: ES256 or RS256.")],
    "userinfo_alg": Annotated[Text, typer.Option("--userinfo-alg", help="Signed userinfo: ES256 or RS256.")],
    "home_uri": Annotated[Text, typer.Option("--home-uri", help="Its home page, shown to users.")],
    "logo_uri": Annotated[Text, typer.Option("--logo-uri", help="Its logo, shown to users.")],
    "backchannel_logout_uri": Annotated[
        Text, typer.Option("--backchannel-logout-uri", help="Told when a user's session ends.")
    ],
    "refresh_token_life": Annotated[int | None, typer.Option("--refresh-life", help="Seconds, the absolute end.")],
    "refresh_token_idle": Annotated[int | None, typer.Option("--refresh-idle", help="Seconds, if it is not used.")],
    "own_tokens": Annotated[
        bool | None,
        typer.Option("--own-tokens/--no-own-tokens", help="Tokens in its own name, too (client_credentials)."),
    ],
    "secret_method": Annotated[
        Text, typer.Option("--secret-method", help="Legacy: a secret by basic or post, with --generate FILE.")
    ],
    "public": Annotated[
        bool, typer.Option("--public", help="It can keep no secret: a single-page, mobile or command-line app.")
    ],
    **mutual_tls_options.OPTIONS,
}
_FLAGS = ("public", "pairwise", "self_signed", "spiffe_jwt")
_NEW: dict[str, Any] = _BOTH | {
    "application_type": Annotated[
        Text, typer.Option("--type", help="web, native or browser (default: by --public and the redirect URIs).")
    ],
    "pairwise": Annotated[bool, typer.Option("--pairwise", help="Users get another subject here than elsewhere.")],
    "sector": Annotated[Text, typer.Option("--sector", help="With --pairwise: the host that several share.")],
}


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """What was given, by the names of the members; None and False for what was not."""

    given: Mapping[str, Any]

    @property
    def secret_method(self) -> AuthenticationMethod | None:
        """The method with a secret that was asked for. Raises ConfigurationError."""
        named = self.given["secret_method"]
        if named is None:
            return None
        if named not in _SECRET_METHODS:
            raise ConfigurationError(f"--secret-method {named!r}: choose basic or post; better, give the client a key")
        return _SECRET_METHODS[named]

    @property
    def authentication_method(self) -> AuthenticationMethod | None:
        """The method that was asked for, None if nothing was said of it. Raises ConfigurationError."""
        if self.given["public"] and self.given["secret_method"] is not None:
            raise ConfigurationError("--public and --secret-method are both given: a public client has no secret")
        by_certificate = mutual_tls_options.method(self.given)
        other: AuthenticationMethod | None = "none" if self.given["public"] else self.secret_method
        if by_certificate is not None and other is not None:
            raise ConfigurationError(f"{by_certificate} and {other} are both asked for: a client has one method")
        return by_certificate or other

    def mutual_tls(self) -> dict[str, Any]:
        """What was said of its certificate. Raises ConfigurationError and ValidationError."""
        named = {"certificate_subject": mutual_tls_options.subject(self.given), "spiffe_id": self.given["spiffe_id"]}
        return {**named, "bound_tokens": self.given["bound_tokens"]}

    def members_of_client(self) -> dict[str, Any]:
        """What a new client has by these options. Raises ConfigurationError and ValidationError."""
        application = self.new()
        return {
            "authentication_method": self.authentication_method or "private_key_jwt",
            "grant_types": self.grant_types(has_login=application is not None),
            "login": application,
            **{name: value for name, value in self.mutual_tls().items() if value is not None},
        }

    def new(self) -> NewLogin | None:
        """The login of a new client, None for one without users. Raises ConfigurationError and ValidationError."""
        members = self._members()
        if "redirect_uris" not in members:
            if members or self.given["pairwise"] or self.given["public"]:
                raise ConfigurationError("--redirect-uri is missing: where does the application get its users back?")
            return None
        members["application_type"] = members.get("application_type") or self._type(members["redirect_uris"])
        members["subject_type"] = "pairwise" if self.given["pairwise"] else "public"
        return NewLogin(**members)

    def changes(self) -> LoginChanges | None:
        """The changes of a login, None if there are none. Raises ValidationError."""
        members = self._members()
        return LoginChanges(**members) if members else None

    def grant_types(self, *, has_login: bool) -> list[GrantTypeName] | None:
        """What it may ask for, None if nothing was said of it."""
        if self.given["own_tokens"] is None or not has_login:
            return None
        usual: list[GrantTypeName] = ["authorization_code", "refresh_token"]
        return [*usual, "client_credentials"] if self.given["own_tokens"] else usual

    def _members(self) -> dict[str, Any]:
        apart = ("secret_method", "public", "own_tokens", "pairwise", *mutual_tls_options.OPTIONS)
        return {name: value for name, value in self.given.items() if value is not None and name not in apart}

    def _type(self, redirect_uris: list[str]) -> str:
        if not self.given["public"]:
            return "web"
        return "browser" if all(is_web_address(uri) for uri in redirect_uris) else "native"


def login_options(*, new: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, whose second parameter is a LoginOptions, the options from which that is made."""
    options = _NEW if new else _BOTH

    def decorated(function: Callable[..., None]) -> Callable[..., None]:
        def command(where: object, **given: Any) -> None:
            login = LoginOptions({name: given.pop(name) for name in options})
            function(where, login, **given)

        hints = get_type_hints(function, include_extras=True)
        first, _, *own = inspect.signature(function).parameters.values()
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [first.replace(annotation=hints[first.name])]
        parameters += [one.replace(annotation=hints[one.name], kind=keyword) for one in own]
        parameters += [
            inspect.Parameter(name, keyword, default=False if name in _FLAGS else None, annotation=hint)
            for name, hint in options.items()
        ]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        command.__doc__, command.__name__ = function.__doc__, function.__name__
        return command

    return decorated
