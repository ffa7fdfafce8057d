"""Make a virtual environment with pip in it: `python3 venv.py FOLDER`. Called by the Makefile.

Debian and its kin ship Python without `ensurepip`; then pip comes from wherever this machine has it, and a
library that the local engine needs may be missing, too. Standard library only. Says on stderr what it does,
and, where it cannot, the one command that helps.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)


def say(text: str) -> None:
    """Tell the user what is done."""
    print(f"qwen-ls: {text}", file=sys.stderr, flush=True)


def succeeds(*command: str | Path) -> bool:
    """Run quietly; a program that is missing has failed."""
    words = [str(word) for word in command]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


def interpreter(folder: Path) -> Path:
    """The environment's own Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def has_pip(folder: Path) -> bool:
    """Whether the environment is there and its pip works."""
    return interpreter(folder).exists() and succeeds(interpreter(folder), "-m", "pip", "--version")


def with_ensurepip(folder: Path) -> bool:
    """The ordinary way."""
    return importlib.util.find_spec("ensurepip") is not None and succeeds(
        sys.executable, "-m", "venv", folder
    )


def with_own_pip(folder: Path) -> bool:
    """Make it without pip, and let this Python's own pip put one in."""
    return (
        succeeds(sys.executable, "-m", "pip", "--version")
        and succeeds(sys.executable, "-m", "venv", "--without-pip", "--clear", folder)
        and succeeds(sys.executable, "-m", "pip", "--python", interpreter(folder), "install", "pip")
    )


def with_virtualenv(folder: Path) -> bool:
    """By the package virtualenv, which brings a pip."""
    return succeeds(sys.executable, "-m", "virtualenv", folder)


def with_uv(folder: Path) -> bool:
    """By uv, which brings a pip."""
    return succeeds("uv", "venv", "--seed", "--python", sys.executable, folder)


def debian_package() -> str:
    """The package that holds what this Python lacks."""
    is_default = Path("/usr/bin/python3").resolve() == Path(sys.executable).resolve()
    return "python3-venv" if is_default else f"python{sys.version_info.major}.{sys.version_info.minor}-venv"


def install(package: str, what: str) -> bool:
    """Install a package of the distribution: as root, or by sudo; whoever is there is asked."""
    if shutil.which("apt-get") is None or os.name == "nt":
        return False
    someone = sys.stdin is not None and sys.stdin.isatty()
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    if sudo and not (someone and shutil.which("sudo")):
        return False
    command = [*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    if someone:
        answer = input(f"qwen-ls: {what}. Run `{' '.join(command)}` now? [Y/n] ")
        if answer.strip().lower() not in {"", "y", "yes"}:
            return False
    else:
        say(f"{what}: running {' '.join(command)}")
    return succeeds(*command) or (succeeds(*sudo, "apt-get", "update") and succeeds(*command))


def with_apt(folder: Path) -> bool:
    """Install what this Python lacks from the distribution, then the ordinary way."""
    missing = install(debian_package(), "this Python cannot make virtual environments")
    return missing and succeeds(sys.executable, "-m", "venv", "--clear", folder)


def want_openmp() -> None:
    """The local engine's wheel needs the compiler's OpenMP library, which a minimal Linux lacks."""
    if not sys.platform.startswith("linux") or shutil.which("llama-server"):
        return
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        what = "the local engine needs the library libgomp.so.1"
        if not install("libgomp1", what):
            say(f"{what}, which is missing here; on Debian: sudo apt-get install libgomp1")


def main(folder: Path) -> int:
    """Make it unless it is there; returns the exit code."""
    if sys.version_info < OLDEST:
        found = f"{sys.executable} is {sys.version.split()[0]}"
        say(f"Python {OLDEST[0]}.{OLDEST[1]} or later is needed, and {found}")
        return 1
    want_openmp()
    if has_pip(folder):
        return 0
    if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        say(f"{folder} is in the way: it is no virtual environment; move it away, or give another as VENV=")
        return 1
    say(f"making a virtual environment in {folder} with Python {sys.version.split()[0]}")
    for way in (with_ensurepip, with_own_pip, with_virtualenv, with_uv, with_apt):
        if way(folder) and has_pip(folder):
            return 0
    shutil.rmtree(folder, ignore_errors=True)
    say(f"this Python cannot make virtual environments; run: sudo apt-get install {debian_package()}")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
