"""Reads the configuration and settles what it leaves to its surroundings: where files lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from rotator.config import Config, ConfigProblem, TokenAuth, load, load_bytes
from rotator.exchanges.registry import exchange_names
from rotator.wiring import SetupError

M = TypeVar("M", bound=BaseModel)

FILES: Final = frozenset(
    {
        "ca_file",
        "cert_file",
        "file",
        "key_file",
        "role_id_file",
        "secret_id_file",
        "service_account",
        "token_file",
        "web_config",
    }
)
"""Every field of the configuration that names a file or a folder."""

OF_THE_SHELL: Final = ("VAULT_CACERT",)
"""Variables whose relative paths are meant from where the command is typed."""

NO_FILE: Final = b"store: {local: {}}\n"


def read_config(file: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration of a file, its file names absolute.

    A relative file name is meant from the folder of the configuration, `~` is the
    home of the user.  Raises SetupError with the first problem.
    """
    loaded = check_config(file, _settled_environ(environ))
    return _settled(_sound(loaded), file.absolute().parent)


def read_config_or_defaults(file: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration of a file, the defaults where there is no such file.

    For commands that need no store.  Raises SetupError.
    """
    if file.exists():
        return read_config(file, environ)
    return _sound(load_bytes(NO_FILE, environ, exchange_names()))


def check_config(file: Path, environ: Mapping[str, str]) -> Config | ConfigProblem:
    """Return the configuration as it is written, or the first thing wrong with it."""
    try:
        file.open("rb").close()
    except OSError as error:
        cure = "Name the file with --config or ROTATOR_CONFIG, or write one: rotator config init"
        return ConfigProblem(str(file), f"cannot be read ({error.strerror})", cure)
    return load(file, environ, exchange_names())


def with_token_file(config: Config, token_file: Path) -> Config:
    """Return the configuration with the login of a person, whose Vault token lies in a file."""
    vault = config.store.vault
    if vault is None:
        return config
    auth = TokenAuth(method="token", token_file=str(token_file.expanduser().absolute()))
    store = config.store.model_copy(update={"vault": vault.model_copy(update={"auth": auth})})
    return config.model_copy(update={"store": store})


def _sound(loaded: Config | ConfigProblem) -> Config:
    if isinstance(loaded, ConfigProblem):
        raise SetupError(str(loaded))
    return loaded


def _settled_environ(environ: Mapping[str, str]) -> Mapping[str, str]:
    absolute = {
        name: str(Path(environ[name]).absolute()) for name in OF_THE_SHELL if environ.get(name)
    }
    return {**environ, **absolute}


def _settled(model: M, folder: Path) -> M:
    """Return a section with every file name in it absolute."""
    changes: dict[str, Any] = {}
    for name, value in model:
        if isinstance(value, BaseModel):
            changes[name] = _settled(value, folder)
        elif name in FILES and isinstance(value, str):
            changes[name] = str(folder / Path(value).expanduser())
    return model.model_copy(update=changes)
