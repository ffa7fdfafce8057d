"""Which files are never read or sent. Pure: it looks at names, not at files."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from urllib.parse import unquote, urlsplit

DENIED = (
    ".env", ".env.*", ".env-*", ".env_*", ".env~", "*.env", ".envrc",
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore",
    "*.kdbx", "*.ppk", "*.asc", "*.gpg", "*.pgp", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
    ".ssh/*", ".gnupg/*", ".aws/*", ".azure/*", ".kube/*", ".docker/config.json", ".netrc", "_netrc",
    ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".git-credentials", ".htpasswd", "*.tfvars", "*.tfvars.json",
    "*.tfstate", "*.tfstate.*", "credentials", "*credentials*.json", "credentials.csv", "credentials.y*ml",
    "credentials.toml", "credentials.ini", "secret.json", "secrets.json", "secret*.y*ml", "secrets.toml",
    "*.secret", "*.secrets", "*service-account*.json", "authorized_keys", "known_hosts", ".vault-token",
    "*.agekey", "shadow", "master.key", "kubeconfig", "*.kubeconfig", ".dockercfg", "*.ovpn", ".*_history",
)  # fmt: skip
"""The built-in deny list: globs of a file's name, or, with a slash, of the end of its path."""


def path_of(uri: str) -> str:
    """The path inside a URI, decoded, with forward slashes; cells and untitled documents keep their name."""
    uri = uri.replace("\\", "/")
    try:
        path = urlsplit(uri).path
    except ValueError:  # `file://[`: what looks like an address is none
        path = ""
    return unquote(path or uri)


def denied(uri: str, exclude: tuple[str, ...] = ()) -> bool:
    """Whether a document must not be read or sent, by the built-in list or the user's globs.

    Case is ignored. A glob without a slash is matched with each part of the path, one with a slash with every
    tail of the path. `**` is understood as in `.gitignore`.
    """
    path = path_of(uri).lower().lstrip("/")
    name = path.rsplit("/", 1)[-1]
    if _match(DENIED, name, path, parts=False):
        return True
    return bool(exclude) and _match(exclude, name, path, parts=True)


def _match(globs: tuple[str, ...], name: str, path: str, *, parts: bool) -> bool:
    names, paths = _compiled(globs)
    if names.fullmatch(name) or (parts and any(names.fullmatch(part) for part in path.split("/"))):
        return True
    tails = [path]
    while "/" in tails[-1]:
        tails.append(tails[-1].split("/", 1)[1])
    return any(paths.fullmatch(tail) for tail in tails)


@lru_cache(maxsize=16)
def _compiled(globs: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    cleaned = [glob.strip().lower().replace("\\", "/").removeprefix("./").rstrip("/") for glob in globs]
    cleaned = [glob for glob in cleaned if glob]
    names = [translate(glob) for glob in cleaned if "/" not in glob]
    paths = []
    for glob in cleaned:
        if "/" in glob:
            bare = glob.lstrip("/").removeprefix("**/")
            paths += [_translate(bare), _translate(bare.removesuffix("/**") + "/*")]
    nothing = r"(?!)"
    return re.compile("|".join(names) or nothing), re.compile("|".join(paths) or nothing)


def _translate(glob: str) -> str:
    """As `fnmatch.translate`, but `/**/` also stands for a single slash."""
    pieces = [translate(piece)[len("(?s:") : -len(r")\Z")] for piece in glob.split("/**/")]
    return f"(?s:{'/(?:.*/)?'.join(pieces)})"
