"""The sandbox's inside: `python -I -S sandboxed.py TOKEN SECONDS`, the program on stdin.

Writes the token when the program has run to its end.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading

MEMORY = 1 << 30
FILE_BYTES = 1 << 20
DENIED = ("socket.", "subprocess.", "ctypes.", "winreg.", "shutil.", "ftplib.", "urllib.", "http.")
DENIED_CALLS = {
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.kill",
    "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate",
    "os.putenv", "signal.pthread_kill",
}  # fmt: skip
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def main() -> None:
    """Close the doors, run the program, say the token."""
    token, seconds = sys.argv[1], float(sys.argv[2])
    source = sys.stdin.buffer.read()
    said = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    code = compile(source, "program", "exec")
    leave_the_network()
    limit(seconds, said)
    folder = os.path.realpath(os.curdir)
    sys.addaudithook(lambda event, details: deny(event, details, folder))
    sys.argv = ["program"]
    exec(code, {"__name__": "__main__"})
    os.write(said, token.encode())
    os._exit(0)


def leave_the_network() -> None:
    """A network namespace with nothing in it, where the kernel gives one."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def limit(seconds: float, said: int) -> None:
    """Processor time, memory and the size of files; time alone where those cannot be limited."""

    def out_of_time(*_: object) -> None:
        os.write(said, b"timed out")
        os._exit(1)

    try:
        import resource
    except ImportError:
        timer = threading.Timer(seconds, out_of_time)
        timer.daemon = True
        timer.start()
        return
    signal.signal(signal.SIGXCPU, out_of_time)
    whole = max(1, round(seconds))
    limits = {
        "CPU": (whole, whole + 1),
        "AS": (MEMORY, MEMORY),
        "FSIZE": (FILE_BYTES, FILE_BYTES),
        "CORE": (0, 0),
    }
    for name, pair in limits.items():
        with contextlib.suppress(OSError, ValueError):  # macOS does not take all of them
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), pair)


def deny(event: str, details: tuple, folder: str) -> None:
    """Python's own account of what a program does: refuse the outside."""
    if event.startswith(DENIED) or event in DENIED_CALLS:
        raise PermissionError(event)
    if event == "open" and writes(details):
        path = os.path.realpath(os.fspath(details[0])) if not isinstance(details[0], int) else folder
        if os.path.commonpath([str(path), folder]) != folder:
            raise PermissionError(event)


def writes(details: tuple) -> bool:
    """Whether a file is opened to be written."""
    _, mode, flags = details
    if isinstance(mode, str):
        return any(char in mode for char in "wax+")
    return bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


if __name__ == "__main__":
    main()
