"""The configuration as frozen models, one per concern; the field names are the public form."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    WrapSerializer,
)

from rotator.config.values import (
    DEFAULT_AGE,
    Clock,
    Duration,
    Folder,
    Listen,
    MaxAge,
    Moment,
    Network,
    Pattern,
    ProxyUrl,
    SecretPath,
    Text,
    WebUrl,
    Weekday,
    Zone,
)
from rotator.core.findings import Code, Severity
from rotator.core.policy import OnViolation, Revoke, Strategy, Verify

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
EXAMPLE_ADDRESS = "https://vault.example:8200"


class Section(BaseModel):
    """A part of the configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )


# ---------------------------------------------------------------- store


class KubernetesAuth(Section):
    """Sign in with the pod's own token."""

    method: Literal["kubernetes"]
    role: Text = "rotator"
    token_file: Text = "/var/run/secrets/vault/token"
    mount: Text = "kubernetes"


class JwtAuth(Section):
    """Sign in with a token that another system issued."""

    method: Literal["jwt"]
    role: Text
    token_file: Text
    mount: Text = "jwt"


class ApproleAuth(Section):
    """Sign in with a role id and a secret id, each in a file."""

    method: Literal["approle"]
    role_id_file: Text
    secret_id_file: Text
    mount: Text = "approle"


class CertAuth(Section):
    """Sign in with a client certificate."""

    method: Literal["cert"]
    cert_file: Text
    key_file: Text
    role: Text | None = None
    mount: Text = "cert"


class TokenAuth(Section):
    """Use a token that something else renews in a file."""

    method: Literal["token"]
    token_file: Text


Auth = Annotated[
    KubernetesAuth | JwtAuth | ApproleAuth | CertAuth | TokenAuth, Field(discriminator="method")
]


class VaultStore(Section):
    """A HashiCorp Vault (KV v2)."""

    address: WebUrl
    namespace: Text | None = None
    ca_file: Text | None = None
    auth: Auth = KubernetesAuth(method="kubernetes")


class LocalStore(Section):
    """One encrypted SQLite file."""

    file: Text = "rotator.db"
    key_file: Text = "rotator.key"


class Anchor(Section):
    """Where the epoch is kept outside the store; None = the lease, else a state file."""

    file: Text | None = None


class Store(Section):
    """Exactly one of `vault` and `local`, and where to look in it."""

    vault: VaultStore | None = None
    local: LocalStore | None = None
    paths: tuple[Folder, ...] = Field(default=("secret/trading/",), min_length=1)
    state: Folder = "secret/rotator/"
    anchor: Anchor = Anchor()


# ---------------------------------------------------------------- rules and policies


class FieldMap(Section):
    """The secret's own names of a credential's fields."""

    api_key: Text | None = None
    api_secret: Text | None = None
    passphrase: Text | None = None
    private_key: Text | None = None

    def named(self) -> dict[str, str]:
        """Return the words that are mapped, with the secret's own names."""
        return {word: name for word, name in self if name is not None}


class RuleSection(Section):
    """What holds for the paths that `match` covers, unless their metadata says otherwise."""

    match: SecretPath
    exchange: Text | None = None
    account: Text | None = None
    policy: Text | None = None
    parent: SecretPath | None = None
    lister: SecretPath | None = None
    owner: Text | None = None
    strategy: Strategy | None = None
    consumers: tuple[Text, ...] | None = None
    environment: Literal["prod", "testnet", "demo"] | None = None
    managed: bool | None = None
    name: Text | None = None
    fields_: FieldMap = Field(default=FieldMap(), alias="fields")


class Scopes(Section):
    """Patterns over the scope words: `read`, `trade:*`, `*`."""

    allow: tuple[Pattern, ...] = ("*",)
    require: tuple[Pattern, ...] = ()
    forbid: tuple[Pattern, ...] = ()


class Addresses(Section):
    """What a key's address list must be."""

    require: bool = False
    exact: tuple[Network, ...] | None = None
    subset: tuple[Network, ...] | None = None


class Expiry(Section):
    """How much life a key must have left."""

    min_left: Duration = 7 * DAY


class WindowSection(Section):
    """A span that opens on some weekdays."""

    days: tuple[Weekday, ...] = Field(min_length=1)
    from_: Clock = Field(alias="from")
    for_: Duration = Field(alias="for", gt=timedelta(0), le=7 * DAY)
    zone: Zone = "UTC"


class BlackoutSection(Section):
    """A span in which nothing is opened."""

    from_: Moment = Field(alias="from")
    to: Moment


class PolicySection(Section):
    """What a firm demands of its keys."""

    max_age: MaxAge = Field(default_factory=lambda: {DEFAULT_AGE: 90 * DAY})
    warn_before: Duration = 7 * DAY
    scopes: Scopes = Scopes()
    addresses: Addresses = Addresses()
    expiry: Expiry = Expiry()
    strategy: Strategy = Strategy.AUTO
    verify: Verify = Verify.SELF
    revoke: Revoke = Revoke.MANUAL
    drain: Duration = 2 * HOUR
    windows: tuple[WindowSection, ...] = ()
    blackouts: tuple[BlackoutSection, ...] = ()
    consumers: tuple[Text, ...] = ()
    on_violation: OnViolation = OnViolation.ALERT
    severity: dict[Code, Severity] = Field(default_factory=dict)
    key_type: Text | None = None
    dormant_after: Duration = 90 * DAY


# ---------------------------------------------------------------- the rest


class Rotation(Section):
    """The blast radius."""

    armed: tuple[SecretPath, ...] = ()
    in_flight: int = Field(default=4, ge=1, le=1000)
    creates_per_hour: int = Field(default=60, ge=1, le=100_000)
    spread_backlog: Duration = 7 * DAY
    canary: tuple[SecretPath, ...] = ()
    soak: Duration = timedelta(0)


class ExchangeSection(Section):
    """How one exchange is reached."""

    proxy: ProxyUrl | None = None
    egress: tuple[Network, ...] = ()
    share: float | None = Field(default=0.2, gt=0, le=1)
    base_url: WebUrl | None = None


class Every(Section):
    """How often the daemon looks."""

    inventory: Duration = Field(default=5 * MINUTE, ge=timedelta(seconds=1))
    inspect: Duration = Field(default=HOUR, ge=timedelta(seconds=1))
    tidy: Duration = Field(default=15 * MINUTE, ge=timedelta(seconds=1))


class Serve(Section):
    """Where the daemon is asked.

    `probes`: a further port, plain and without passwords, that answers the probes of
    Kubernetes and nothing else.
    """

    listen: Listen = "0.0.0.0:9789"
    web_config: Text | None = None
    probes: Listen | None = None


class Metrics(Section):
    """How much is told per credential."""

    per_credential: Literal["all", "attention", "none"] = "all"


class KubernetesLease(Section):
    """A Lease object; namespace None = the pod's own.

    `service_account` is the folder with the pod's token, ca.crt and namespace.
    """

    name: Text = "rotator"
    namespace: Text | None = None
    duration: Duration = Field(default=timedelta(seconds=15), ge=timedelta(seconds=2))
    renew_deadline: Duration = Field(default=timedelta(seconds=10), ge=timedelta(seconds=1))
    retry: Duration = Field(default=timedelta(seconds=2), ge=timedelta(seconds=1))
    service_account: Text = "/var/run/secrets/kubernetes.io/serviceaccount"


class LeaseSection(Section):
    """Exactly one of a lock file and a Kubernetes Lease."""

    file: Text | None = None
    kubernetes: KubernetesLease | None = None

    @property
    def none(self) -> bool:
        """Say whether there is no lease at all."""
        return self.file is None and self.kubernetes is None


def _lease(value: Any) -> Any:
    """Read the word `none` as a lease with nothing in it; raises ValueError."""
    if value == "none":
        return {}
    if isinstance(value, (dict, LeaseSection)):
        return value
    raise ValueError("is not a lease; write none, {file: PATH} or {kubernetes: {name: rotator}}")


DURATION_SCHEMA: dict[str, Any] = {"type": "string", "pattern": "^([0-9]+[smhdw])+$"}

Lease = Annotated[
    LeaseSection,
    BeforeValidator(_lease),
    WrapSerializer(lambda lease, inner: "none" if lease.none else inner(lease)),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "none"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": ["string", "null"]},
                        "kubernetes": {
                            "type": ["object", "null"],
                            "additionalProperties": False,
                            "properties": {
                                "name": {"type": "string"},
                                "namespace": {"type": ["string", "null"]},
                                "duration": DURATION_SCHEMA,
                                "renew_deadline": DURATION_SCHEMA,
                                "retry": DURATION_SCHEMA,
                                "service_account": {"type": "string"},
                            },
                        },
                    },
                },
            ]
        }
    ),
]


class Audit(Section):
    """Where the audit trail is kept beside the store."""

    file: Text | None = None


class Config(Section):
    """The whole configuration."""

    store: Store
    rules: tuple[RuleSection, ...] = ()
    policies: dict[Text, PolicySection] = Field(default_factory=dict)
    rotation: Rotation = Rotation()
    exchanges: dict[Text, ExchangeSection] = Field(default_factory=dict)
    every: Every = Every()
    serve: Serve = Serve()
    metrics: Metrics = Metrics()
    lease: Lease = LeaseSection()
    audit: Audit = Audit()

    def exchange(self, name: str) -> ExchangeSection:
        """Return an exchange's section, or the defaults."""
        return self.exchanges.get(name, ExchangeSection())
