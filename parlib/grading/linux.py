"""What does Linux offer to shut a process in, that Python has no word for?

    enter(pid)          go where another process is: its files, its network, its processes
    read_only(path)     from here on nobody writes below this folder
    give_up_rights()    no privilege, now and after any program that is started
    shut_in(…)          Landlock: from here on, see and change only these folders
    no_network()        seccomp: from here on, no socket but those between programs of this machine
    die_with_parent()   be killed when the parent ends, however it ends

Each is one or two calls of the C library, by numbers that never change. Failures are
OSError, with the words of the system. Nothing here is loaded on another system.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["adopt_orphans", "die_with_parent", "enter", "give_up_rights", "landlock_version", "no_network"]
__all__ += ["read_only", "shut_in"]

# from <linux/nsfs.h>, <linux/prctl.h>, <linux/mount.h>, <linux/landlock.h> and <linux/seccomp.h>
NS_GET_USERNS = 0xB701
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND = 1, 2, 4, 32, 4096
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
CAPABILITY_VERSION = 0x20080522
FOLDER_READ = 1 << 3
FILE_READ = 1 << 0 | 1 << 2 | FOLDER_READ  # execute, read a file, read a folder
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # since which version of Landlock there are how many rights on files
TCP, SCOPES = 0b11, 0b11  # bind and connect (version 4); abstract sockets and signals (version 6)
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 22, 2, 0x00050000, 0x7FFF0000
SOCKET_CALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # machine: its audit number, that of socket()
IO_URING_SETUP, OTHER_ABI = 425, 0x40000000  # a second way to make sockets, and a second set of numbers (x32)
LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # <linux/bpf_common.h>


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _called(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, value: int = 0, more: int = 0) -> None:
    words = (ctypes.c_ulong(number) for number in (value, more, 0, 0))
    _called(_libc().prctl(option, *words), f"prctl {option}")


def die_with_parent() -> None:
    """Have this process killed as soon as its parent has ended."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of whatever process below loses its own."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def enter(pid: int) -> None:
    """Join every namespace of the process `pid`; children are in them wholly, also in that of its processes."""
    import fcntl

    home = f"/proc/{pid}/ns"
    spaces = [os.open(f"{home}/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("mnt", "pid", "net", "ipc", "uts")]
    owner = fcntl.ioctl(spaces[0], NS_GET_USERNS)  # who may change its mounts; first, for the rights to join the rest
    for space in (owner, *spaces):
        _called(_libc().setns(space, 0), "setns")
        os.close(space)


def read_only(path: str) -> None:
    """Remount the folder at `path`, which is a mount of its own, so that nobody can write below it."""
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV
    _called(_libc().mount(None, path.encode(), None, ctypes.c_ulong(flags), None), "mount")


def give_up_rights() -> None:
    """Drop every capability for good; must come before the first thread, for each thread has its own."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text()) if os.path.exists("/proc/sys/kernel") else -1
    for capability in range(last + 1):
        try:
            _prctl(PR_CAPBSET_DROP, capability)
        except PermissionError:
            break  # an ordinary user, who has none to drop
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _called(_libc().capset(header, none), "capset")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def landlock_version() -> int:
    """The version of Landlock that this system has, 0 for none."""
    return max(0, _libc().syscall(LANDLOCK_CREATE_RULESET, None, 0, 1))


def shut_in(readable: Iterable[str], writable: Iterable[str], listable: Iterable[str] = ()) -> None:
    """Let this process, and all it starts, see only these folders, and no TCP port where Landlock knows of them.

    Of what is below a `listable` folder, the names are seen and nothing else.
    """
    version = landlock_version()
    rights = (1 << max(count for since, count in FILE_RIGHTS.items() if since <= version)) - 1
    words = (rights, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 8 * (1 if version < 4 else 2 if version < 6 else 3)
    rules = (ctypes.c_uint64 * 3)(*words)
    ruleset = _called(_libc().syscall(LANDLOCK_CREATE_RULESET, rules, size, 0), "landlock")
    for paths, allowed in ((readable, FILE_READ), (writable, rights), (listable, FOLDER_READ)):
        for path in filter(os.path.exists, paths):
            _allow(ruleset, path, allowed)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _called(_libc().syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock")
    os.close(ruleset)


def _allow(ruleset: int, path: str, allowed: int) -> None:
    if not os.path.isdir(path):
        allowed &= 1 << 0 | 1 << 1 | 1 << 2 | (1 << 14 | 1 << 15) & allowed  # the rights that a single file can have
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = allowed.to_bytes(8, "little") + folder.to_bytes(4, "little")
    try:
        _called(_libc().syscall(LANDLOCK_ADD_RULE, ruleset, 1, rule, 0), f"landlock {path}")
    finally:
        os.close(folder)


class _Step(ctypes.Structure):
    """One instruction of a filter: what to do, how many steps to skip if so and if not, with which number."""

    _fields_ = (("code", ctypes.c_uint16), ("so", ctypes.c_uint8), ("not_so", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Step)))


def no_network() -> None:
    """Refuse every socket but AF_UNIX to this process and all it starts; must come after `give_up_rights`.

    OSError on a machine whose numbers are not known here. The filter sees the number of a
    system call at 0, the kind of machine at 4, and the first argument at 16. What is refused
    is "not supported": at other errors ZeroMQ ends the process.
    """
    machine = os.uname().machine
    if machine not in SOCKET_CALL:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {machine}")
    audit, call = SOCKET_CALL[machine]
    steps = (
        (LOAD, 0, 0, 4),
        (IF_EQUAL, 0, 6, audit),  # else refuse
        (LOAD, 0, 0, 0),
        (IF_AT_LEAST, 4, 0, OTHER_ABI),  # refuse
        (IF_EQUAL, 3, 0, IO_URING_SETUP),  # refuse
        (IF_EQUAL, 0, 3, call),  # else allow
        (LOAD, 0, 0, 16),
        (IF_EQUAL, 1, 0, socket.AF_UNIX),  # allow, else refuse
        (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EOPNOTSUPP),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
    )
    program = _Filter(len(steps), (_Step * len(steps))(*(_Step(*step) for step in steps)))
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))
