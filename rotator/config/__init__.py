"""The configuration: YAML and environment, read into frozen models, or one clear problem."""

from __future__ import annotations

from rotator.config.convert import config_schema, limits, policies, rules, show
from rotator.config.document import mapping_of
from rotator.config.example import commented_example
from rotator.config.load import load, load_bytes
from rotator.config.models import (
    ApproleAuth,
    Auth,
    CertAuth,
    Config,
    ExchangeSection,
    JwtAuth,
    KubernetesAuth,
    KubernetesLease,
    LocalStore,
    TokenAuth,
    VaultStore,
)
from rotator.config.problem import ConfigProblem

__all__ = [
    "ApproleAuth",
    "Auth",
    "CertAuth",
    "Config",
    "ConfigProblem",
    "ExchangeSection",
    "JwtAuth",
    "KubernetesAuth",
    "KubernetesLease",
    "LocalStore",
    "TokenAuth",
    "VaultStore",
    "commented_example",
    "config_schema",
    "limits",
    "load",
    "load_bytes",
    "mapping_of",
    "policies",
    "rules",
    "show",
]
