"""The named tags of the audit log: what can have happened, one constant and one sentence each.

A tag is ``"<subject>:<verb in the past>"``. A tag is never renamed or given a new meaning: old rows keep it for good.
"""

from __future__ import annotations

from typing import Final

# Tokens
TOKEN_ISSUED: Final = "token:issued"
TOKEN_REFUSED: Final = "token:refused"
TOKEN_REVOKED: Final = "token:revoked"
GRANT_REVOKED: Final = "grant:revoked"
REVOCATION_REFUSED: Final = "revocation:refused"
TOKEN_INTROSPECTED: Final = "token:introspected"
REVOCATION_IGNORED: Final = "revocation:ignored"
INTROSPECTION_REFUSED: Final = "introspection:refused"

# Clients and their keys
CLIENT_CREATED: Final = "client:created"
CLIENT_UPDATED: Final = "client:updated"
CLIENT_DISABLED: Final = "client:disabled"
CLIENT_ENABLED: Final = "client:enabled"
CLIENT_SECRET_MADE: Final = "client:secret_made"
CLIENT_PKCE_EXEMPTED: Final = "client:pkce_exempted"
CLIENT_KEY_ADDED: Final = "client:key_added"
CLIENT_KEY_RETIRED: Final = "client:key_retired"
CLIENT_KEY_REVOKED: Final = "client:key_revoked"
CLIENT_KEY_REGISTERED_BY_CLIENT: Final = "client:key_registered_by_client"
CLIENT_KEY_REFUSED: Final = "client:key_refused"
CLIENT_KEYS_TOLD: Final = "client_keys:told"
CLIENT_KEYS_REFUSED: Final = "client_keys:refused"

FEED_FOLLOWED: Final = "revocation_feed:followed"
FEED_REFUSED: Final = "revocation_feed:refused"

JWT_SVID_ISSUED: Final = "jwt_svid:issued"
JWT_SVID_REFUSED: Final = "jwt_svid:refused"

# Users, their factors and sessions
USER_CREATED: Final = "user:created"
USER_UPDATED: Final = "user:updated"
USER_DISABLED: Final = "user:disabled"
USER_ENABLED: Final = "user:enabled"
FACTOR_ADDED: Final = "factor:added"
FACTOR_CHANGED: Final = "factor:changed"
FACTOR_REFUSED: Final = "factor:refused"
FACTOR_REMOVED: Final = "factor:removed"
SIGN_IN_BEGUN: Final = "sign_in:begun"
PASSKEY_CLONE_SUSPECTED: Final = "passkey:clone_suspected"
SIGN_IN_REFUSED: Final = "sign_in:refused"
UPSTREAM_REFUSED: Final = "upstream:refused"
EMAIL_LINK_MADE: Final = "email_link:made"
SESSION_STARTED: Final = "session:started"
SESSION_ENDED: Final = "session:ended"

# What users allow
AUTHORIZATION_GRANTED: Final = "authorization:granted"
AUTHORIZATION_REFUSED: Final = "authorization:refused"
CONSENT_GIVEN: Final = "consent:given"
CONSENT_DENIED: Final = "consent:denied"
CONSENT_REVOKED: Final = "consent:revoked"
REFRESH_REUSED: Final = "refresh_token:reused"
USERINFO_TOLD: Final = "userinfo:told"
USERINFO_REFUSED: Final = "userinfo:refused"

# Security events to receivers and from upstream providers
SIGNAL_STREAM_CREATED: Final = "signal_stream:created"
SIGNAL_STREAM_UPDATED: Final = "signal_stream:updated"
SIGNAL_STREAM_PAUSED: Final = "signal_stream:paused"
SIGNAL_STREAM_RESUMED: Final = "signal_stream:resumed"
SIGNAL_STREAM_DISABLED: Final = "signal_stream:disabled"
SIGNAL_STREAM_DELETED: Final = "signal_stream:deleted"
SIGNAL_SUBJECT_REMOVED: Final = "signal_subject:removed"
SIGNAL_SUBJECT_ADDED: Final = "signal_subject:added"
SIGNALS_TOLD: Final = "signals:told"
SIGNALS_REFUSED: Final = "signals:refused"
SIGNAL_NOT_TAKEN: Final = "signal:not_taken"
UPSTREAM_SIGNAL_TAKEN: Final = "upstream_signal:taken"
UPSTREAM_SIGNAL_IGNORED: Final = "upstream_signal:ignored"
UPSTREAM_SIGNAL_REFUSED: Final = "upstream_signal:refused"

# APIs
API_CREATED: Final = "api:created"
API_UPDATED: Final = "api:updated"
API_DISABLED: Final = "api:disabled"
API_ENABLED: Final = "api:enabled"

# Signing keys of the installation
SIGNING_KEY_PUBLISHED: Final = "signing_key:published"
SIGNING_KEY_ACTIVATED: Final = "signing_key:activated"
SIGNING_KEY_RETIRED: Final = "signing_key:retired"
SIGNING_KEY_REMOVED: Final = "signing_key:removed"
SIGNING_KEY_WITHDRAWN: Final = "signing_key:withdrawn"
SIGNING_KEY_REWRAPPED: Final = "signing_key:rewrapped"

# The private certificate authority
AUTHORITY_CREATED: Final = "authority:created"
AUTHORITY_RETIRED: Final = "authority:retired"
AUTHORITY_REVOKED: Final = "authority:revoked"
ENROLMENT_TOKEN_MADE: Final = "enrolment_token:made"
CERTIFICATE_ISSUED: Final = "certificate:issued"
CERTIFICATE_REFUSED: Final = "certificate:refused"
CERTIFICATE_REVOKED: Final = "certificate:revoked"
REVOCATION_LIST_SIGNED: Final = "revocation_list:signed"

# ACME
ACME_CREDENTIAL_CREATED: Final = "acme_credential:created"
ACME_CREDENTIAL_REVOKED: Final = "acme_credential:revoked"
ACME_ACCOUNT_CREATED: Final = "acme_account:created"
ACME_ACCOUNT_UPDATED: Final = "acme_account:updated"
ACME_ACCOUNT_DEACTIVATED: Final = "acme_account:deactivated"
ACME_ACCOUNT_KEY_CHANGED: Final = "acme_account:key_changed"
ACME_ORDER_CREATED: Final = "acme_order:created"
ACME_AUTHORIZATION_DEACTIVATED: Final = "acme_authorization:deactivated"
ACME_CHALLENGE_BEGUN: Final = "acme_challenge:begun"
ACME_CHALLENGE_PASSED: Final = "acme_challenge:passed"
ACME_CHALLENGE_FAILED: Final = "acme_challenge:failed"
ACME_REFUSED: Final = "acme:refused"

# Administration
ADMIN_BOOTSTRAPPED: Final = "admin:bootstrapped"
ADMIN_REFUSED: Final = "admin:refused"
ADMIN_READ: Final = "admin:read"
STATIC_SYNCHRONIZED: Final = "static:synchronized"

# The audit log and the traces themselves
AUDIT_ERASED: Final = "audit:erased"
AUDIT_DROPPED: Final = "audit:dropped"
TRACES_REFUSED: Final = "traces:refused"
REFUSALS_SUMMARISED: Final = "refusals:summarised"

# The server
SERVER_STARTED: Final = "server:started"
SERVER_STOPPED: Final = "server:stopped"
INSTALLATION_EPOCH_RAISED: Final = "installation:epoch_raised"
INSTALLATION_RESTORED: Final = "installation:restored"
INSTALLATION_MIGRATED: Final = "installation:migrated"
TLS_CERTIFICATE_TAKEN: Final = "tls_certificate:taken"
TLS_CERTIFICATE_REFUSED: Final = "tls_certificate:refused"
CLIENT_CERTIFICATE_REFUSED: Final = "client_certificate:refused"

MEANINGS: Final[dict[str, str]] = {
    TOKEN_ISSUED: "An access token was issued; the target is its jti.",
    TOKEN_REFUSED: "The token endpoint refused a request; the reason is the failed check.",
    TOKEN_REVOKED: "A token was revoked; the target is its jti.",
    GRANT_REVOKED: "A grant was ended, with every token that hangs on it; the target is its id.",
    REVOCATION_REFUSED: "The revocation endpoint refused a request.",
    TOKEN_INTROSPECTED: "An API asked about a token: allowed if it was told active, else refused for the reason.",
    REVOCATION_IGNORED: "A client asked to revoke what is no token, or one that had ended.",
    INTROSPECTION_REFUSED: "The introspection endpoint refused a request.",
    CLIENT_CREATED: "A client was registered.",
    CLIENT_UPDATED: "A client's name, scopes, life or key reference was changed.",
    CLIENT_DISABLED: "A client was disabled; its tokens ended.",
    CLIENT_ENABLED: "A disabled client was enabled again.",
    CLIENT_SECRET_MADE: "A client got a new secret; the one before, if there was one, ended.",
    CLIENT_PKCE_EXEMPTED: "A confidential client was exempted from PKCE; it must use a nonce instead.",
    CLIENT_KEY_ADDED: "A public key was added to a client.",
    CLIENT_KEY_RETIRED: "A client's key was retired: it signs nothing new.",
    CLIENT_KEY_REVOKED: "A client's key was revoked, with the keys that descend from it and the tokens they obtained.",
    CLIENT_KEY_REGISTERED_BY_CLIENT: "A client registered its next key by signing with its present one.",
    CLIENT_KEY_REFUSED: "A client's request to register its next key was refused.",
    CLIENT_KEYS_TOLD: "An API looked up the keys of a client, the target; refused if it was told none.",
    CLIENT_KEYS_REFUSED: "The endpoint where APIs look up client keys refused a request.",
    FEED_FOLLOWED: "A process of an API began to follow the revocation log; the target is the API's identity.",
    FEED_REFUSED: "The endpoint where APIs follow the revocation log refused a request.",
    USER_CREATED: "A user was made.",
    USER_UPDATED: "A user's name, address or claims were changed.",
    USER_DISABLED: "A user was disabled; their sessions, grants and tokens ended.",
    USER_ENABLED: "A disabled user was enabled again.",
    FACTOR_ADDED: "A user got a factor by which to prove themselves.",
    FACTOR_CHANGED: "A user's factor was changed.",
    FACTOR_REFUSED: "A user wanted to add a factor that was not good; the reason is the failed check.",
    FACTOR_REMOVED: "A user's factor was removed.",
    SIGN_IN_BEGUN: "A user gave the right first proof and was asked for a second one; the target is the user.",
    PASSKEY_CLONE_SUSPECTED: "A passkey's signature counter did not rise, as if it had been copied; it was refused.",
    SIGN_IN_REFUSED: "A sign-in was refused; the reason is the failed check.",
    UPSTREAM_REFUSED: "What an upstream provider answered was not taken; the reason is the failed check.",
    EMAIL_LINK_MADE: "A link by which a user resets their password or confirms their address was made for an e-mail.",
    SESSION_STARTED: "A user signed in; the target is the session's id.",
    SESSION_ENDED: "A session was ended, with the tokens that hang on it; the target is its id.",
    AUTHORIZATION_GRANTED: "A user let an application act for them; the target is the grant's id.",
    AUTHORIZATION_REFUSED: "The authorization endpoint refused a request; the reason is the failed check.",
    CONSENT_GIVEN: "A user allowed an application scopes that it did not have.",
    CONSENT_DENIED: "A user denied an application what it asked for.",
    CONSENT_REVOKED: "A user's consent to an application was taken back, with its grants.",
    REFRESH_REUSED: "A used refresh token was presented again; its family was ended.",
    USERINFO_TOLD: "An application was told claims of a user.",
    USERINFO_REFUSED: "The userinfo endpoint refused a request.",
    SIGNAL_STREAM_CREATED: "A receiver asked for a stream of security events; the target is the stream's id.",
    SIGNAL_STREAM_UPDATED: "A receiver changed what its stream tells, or where and how.",
    SIGNAL_STREAM_PAUSED: "A stream was paused by the actor for the reason, which says whether events are lost.",
    SIGNAL_STREAM_RESUMED: "A stream was enabled again.",
    SIGNAL_STREAM_DISABLED: "A stream was disabled: what waited in it was dropped.",
    SIGNAL_STREAM_DELETED: "A stream was deleted, with what waited in it.",
    SIGNAL_SUBJECT_REMOVED: "A receiver wants to be told no more of one user.",
    SIGNAL_SUBJECT_ADDED: "A receiver wants to be told of a user again.",
    SIGNALS_TOLD: "A receiver was handed security events or acknowledged some; the target is the stream's id.",
    SIGNALS_REFUSED: "A request of a receiver was refused; the reason is the failed check.",
    UPSTREAM_SIGNAL_TAKEN: "An upstream provider told an event that ended something of the user in the target.",
    UPSTREAM_SIGNAL_IGNORED: "An upstream provider told an event that changed nothing here, and why.",
    UPSTREAM_SIGNAL_REFUSED: "An event of an upstream provider was refused; the reason is the failed check.",
    SIGNAL_NOT_TAKEN: "A receiver could not take a security event, which was dropped; the target is its jti.",
    API_CREATED: "An API was registered.",
    API_UPDATED: "An API's scopes, token form, life or identity was changed.",
    API_DISABLED: "An API was disabled: no token is issued for it.",
    API_ENABLED: "A disabled API was enabled again.",
    SIGNING_KEY_PUBLISHED: "A signing key was made and published; it is not used yet.",
    SIGNING_KEY_ACTIVATED: "A signing key came into use.",
    SIGNING_KEY_RETIRED: "A signing key signs nothing new; what it signed is still good.",
    SIGNING_KEY_REMOVED: "A signing key was removed after the last token that it signed.",
    SIGNING_KEY_WITHDRAWN: "A signing key was withdrawn as compromised; nothing it signed is good any more.",
    SIGNING_KEY_REWRAPPED: "A signing key was wrapped under another key-encryption key.",
    AUTHORITY_CREATED: "An authority of the private CA was made; the target is its id.",
    AUTHORITY_RETIRED: "An authority issues no more; what it issued stays good.",
    AUTHORITY_REVOKED: "An authority was revoked: nothing that it issued is good any more.",
    ENROLMENT_TOKEN_MADE: "A token by which a machine gets one certificate was made; the target is its holder.",
    CERTIFICATE_ISSUED: "A certificate was issued; the target is the client's id or the owner.",
    CERTIFICATE_REFUSED: "A request for a certificate was refused; the reason is the failed check.",
    CERTIFICATE_REVOKED: "A certificate was revoked, with the tokens that it obtained; the target is its holder.",
    JWT_SVID_ISSUED: "A workload was given a JWT-SVID; the target is its jti.",
    JWT_SVID_REFUSED: "A request for a JWT-SVID was refused; the reason is the failed check.",
    REVOCATION_LIST_SIGNED: "A revocation list was signed; the target is the authority's id.",
    ACME_CREDENTIAL_CREATED: "What ACME accounts are bound with was made, with its owner and names; the target is it.",
    ACME_CREDENTIAL_REVOKED: "What ACME accounts are bound with was revoked: they are refused from now on.",
    ACME_ACCOUNT_CREATED: "An ACME account was made; the target is its id.",
    ACME_ACCOUNT_UPDATED: "The contacts of an ACME account were changed.",
    ACME_ACCOUNT_DEACTIVATED: "An ACME account was deactivated by its holder, for good.",
    ACME_ACCOUNT_KEY_CHANGED: "An ACME account got another key.",
    ACME_ORDER_CREATED: "An ACME account ordered a certificate; the target is the order's id.",
    ACME_AUTHORIZATION_DEACTIVATED: "An ACME account gave up the proof of a name.",
    ACME_CHALLENGE_BEGUN: "An ACME account is ready for the validation of a name; the target is the challenge's id.",
    ACME_CHALLENGE_PASSED: "An ACME account proved that it controls a name; the target is the challenge's id.",
    ACME_CHALLENGE_FAILED: "The validation of a name failed for good; the reason is what was wrong.",
    ACME_REFUSED: "An ACME request was refused; the reason is the failed check.",
    ADMIN_BOOTSTRAPPED: "The first administrator was made on the server's own machine.",
    ADMIN_REFUSED: "The admin API refused a request.",
    ADMIN_READ: "An administrator read over the admin API; the target is the path.",
    STATIC_SYNCHRONIZED: "The clients and APIs of ostiary.toml were written to the database.",
    AUDIT_ERASED: "Personal data of audit rows was erased; the rows and the chain stay.",
    AUDIT_DROPPED: "The rows of whole signed segments were dropped by retention.",
    TRACES_REFUSED: "A batch of an API's traces was refused.",
    REFUSALS_SUMMARISED: "So many refusals of unauthenticated callers got no rows of their own; counts by check.",
    SERVER_STARTED: "A server process started.",
    SERVER_STOPPED: "A server process stopped in an orderly way.",
    INSTALLATION_EPOCH_RAISED: "A new epoch began: all that was issued before ended; the target is the installation.",
    INSTALLATION_MIGRATED: "The installation was copied into this database from another, whole; the target is it.",
    INSTALLATION_RESTORED: "The database was filled from a backup; the target is the installation.",
    TLS_CERTIFICATE_TAKEN: "A process shows new connections another certificate; the target is its SHA-256.",
    CLIENT_CERTIFICATE_REFUSED: "A client certificate was refused in the TLS handshake; the problem is OpenSSL's word.",
    TLS_CERTIFICATE_REFUSED: "A process refused the new server certificate in the target, a file; it uses the old.",
}
