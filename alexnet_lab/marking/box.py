"""The box around a pupil: bubblewrap, limits, and a filter of what it may ask for.

It shows Python, the package without the exercises' answers, and the data, all to be
read only, and 64 MiB to write to. There is no network, no process but the pupil, and
it cannot start a second one. On Linux only: a `trusted` pupil is contained by nothing.
"""

from __future__ import annotations

import compileall
import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import alexnet_lab

PACKAGE = Path(alexnet_lab.__file__).resolve().parent
COURSE = PACKAGE.parent
INSIDE = Path("/course")
SHOWN = ("/usr", "/lib", "/lib32", "/lib64", "/bin", sys.base_prefix)
FILES = 2**26  # bytes that can be written
# By machine: its name for the kernel; clone; and what is refused: fork, vfork, unshare,
# setns, memfd_create and shmget (memory that no limit counts), io_uring_setup.
CALLS = {
    "x86_64": (0xC000003E, 56, (57, 58, 272, 308, 319, 29, 425)),
    "aarch64": (0xC00000B7, 220, (97, 268, 279, 194, 425)),
}
CLONE3 = 435
ALLOW, KILL, REFUSE, UNKNOWN = 0x7FFF0000, 0x80000000, 0x50001, 0x50026


@dataclass(frozen=True)
class Box:
    """Starts pupils; `folder` holds what `copy_package` wrote."""

    folder: Path
    trusted: bool = False

    def command(self) -> list[str]:
        """What starts a pupil."""
        words = [sys.executable, "-m", "alexnet_lab.marking.pupil"]
        if self.trusted:
            return words
        variables = self.variables().items()
        return [
            *_bubblewrap(),
            "--ro-bind", os.path.realpath(sys.prefix), sys.prefix,
            "--ro-bind", str(self.folder), str(INSIDE),
            "--ro-bind-try", str(COURSE / "data"), str(INSIDE / "data"),
            "--remount-ro", "/", "--clearenv", "--chdir", str(INSIDE / "notebooks"),
            *[word for pair in variables for word in ("--setenv", *pair)], *words,
        ]  # fmt: skip

    def variables(self) -> dict[str, str]:
        """The variables of a pupil; it gets no others."""
        course, data, home = INSIDE, INSIDE, "/tmp"
        if self.trusted:
            course, data, home = self.folder, COURSE, str(self.folder)
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": home,
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(course),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
            "MPLCONFIGDIR": f"{home}/.matplotlib",
            "IPYTHONDIR": f"{home}/.ipython",
            "ALEXNET_LAB_DATA": str(data / "data"),
            "ALEXNET_LAB_DEVICE": "cpu",
            "ALEXNET_LAB_BUDGET": "quick",
        }

    @contextmanager
    def pupil(self, job: str, seconds: float) -> Iterator[IO[bytes]]:
        """A pupil at its job, and what it says; at the end nothing of it is left.

        It takes limits with it: seconds of a processor, sizes of files. Its memory it
        limits itself, before a student's code runs.
        """
        import resource  # not on Windows

        def limit() -> None:
            for what, most in (
                (resource.RLIMIT_CPU, int(seconds)),
                (resource.RLIMIT_FSIZE, FILES),
                (resource.RLIMIT_NOFILE, 256),
                (resource.RLIMIT_CORE, 0),
            ):
                resource.setrlimit(what, (most, most))

        words, handed = self.command(), []
        if not self.trusted:
            reading, writing = os.pipe()
            os.write(writing, system_calls())
            os.close(writing)
            words[1:1] = ["--seccomp", str(reading)]
            handed = [reading]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, pass_fds=handed, preexec_fn=limit,
            env=self.variables() if self.trusted else None,
            cwd=self.folder / "notebooks",
        )  # fmt: skip
        assert process.stdin and process.stdout
        try:
            with suppress(BrokenPipeError), process.stdin as job_in:
                job_in.write(job.encode())
            yield process.stdout
        finally:
            process.kill()  # of bubblewrap: the kernel then ends all that is inside
            process.stdout.close()
            process.wait()
            for file in handed:
                os.close(file)


def closed() -> str:
    """Why a box cannot be closed here; empty if it can."""
    if platform.machine() not in CALLS or sys.platform != "linux":
        return "a box needs Linux on x86_64 or aarch64"
    if not shutil.which("bwrap"):
        return "bubblewrap is missing (on Debian and Ubuntu: apt install bubblewrap)"
    command = [*_bubblewrap(), "/usr/bin/true"]
    tried = subprocess.run(command, capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"bubblewrap says: {tried.stderr.strip()}"


def copy_package(folder: Path) -> None:
    """The package for the box, compiled: all but the files with the questions."""
    left_out = shutil.ignore_patterns("__pycache__", "n[0-9][0-9].py")
    shutil.copytree(PACKAGE, folder / "alexnet_lab", ignore=left_out)
    compileall.compile_dir(folder / "alexnet_lab", quiet=2)
    for empty in ("data", "notebooks"):
        (folder / empty).mkdir()
    import matplotlib.font_manager  # which looks for fonts and writes them down

    shutil.copytree(matplotlib.get_cachedir(), folder / "matplotlib")


def _bubblewrap() -> list[str]:
    words = ["bwrap", "--unshare-all", "--unshare-user", "--uid", "65534"]
    words += ["--gid", "65534", "--cap-drop", "ALL", "--die-with-parent"]
    words += ["--new-session", "--proc", "/proc", "--dev", "/dev"]
    for folder in SHOWN:
        link = os.path.islink(folder)
        bind = ["--symlink", os.readlink(folder)] if link else ["--ro-bind-try", folder]
        words += [*bind, folder]
    words += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for folder in ("/dev/shm", "/tmp"):
        words += ["--size", str(FILES), "--tmpfs", folder]
    return [*words, "--remount-ro", "/dev"]


def system_calls() -> bytes:
    """A filter in the kernel's language that refuses new processes, not threads."""
    machine, clone, refused = CALLS[platform.machine()]

    def step(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, k)

    load, equal, at_least, has, stop = 0x20, 0x15, 0x35, 0x45, 0x06
    program = step(load, 4) + step(equal, machine, 1) + step(stop, KILL)
    program += step(load, 0) + step(at_least, 2**30, 0, 1) + step(stop, REFUSE)
    for call in refused:
        program += step(equal, call, 0, 1) + step(stop, REFUSE)
    # glibc then takes clone, whose flags can be looked at: 2**16 is a thread's
    program += step(equal, CLONE3, 0, 1) + step(stop, UNKNOWN)
    program += step(equal, clone, 0, 3) + step(load, 16)
    return program + step(has, 2**16, 1, 0) + step(stop, REFUSE) + step(stop, ALLOW)
