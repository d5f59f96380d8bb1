"""Runs the tests that depend on the interpreter on every Python from 3.11 on that there is.

Interpreters are looked for in $NETSIM_PYTHONS (a path list), on PATH, and among those of pyenv. Who
is root gets those of Debian's unstable suite as well: debootstrap puts it into a folder of the
cache, and the tests run inside. Each version gets an environment of its own in .interpreters/.
Exit code 1 when a test failed on any, or none was found. A version, as in `scripts/interpreters
3.13 3.14`, takes that one alone; arguments after `--` go to pytest, instead of the parts.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".interpreters"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netsim"
UNSTABLE = CACHE / "unstable"
PARTS = [
    *("tests/interception", "tests/virtual", "tests/aio", "tests/sockets", "tests/realtime"),
    *("tests/programs", "tests/pytest_plugin", "tests/system", "tests/compatibility"),
]
PROGRAMS = (
    *("curl", "git", "graphviz", "iperf3", "iproute2", "iputils-ping", "jq", "nmap", "openssl"),
    *("postgresql", "procps", "redis-server", "tcpdump", "tshark"),
)
"""That tests compare netsim with, or ask; packages of Debian."""
OLDEST = (3, 11)
DEBIAN = "http://deb.debian.org/debian"


@dataclass(frozen=True)
class Interpreter:
    """One to try. `root` is the folder of the system it belongs to."""

    version: str
    command: str
    root: Path = Path("/")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    ours, pytest_arguments = sys.argv[1:], PARTS
    if "--" in ours:
        cut = ours.index("--")
        ours, pytest_arguments = ours[:cut], ours[cut + 1 :]
    wanted = parser.parse_args(ours).versions
    found = {each.version: each for each in reversed([*installed(), *of_unstable(wanted)])}
    chosen = [
        found[version] for version in sorted(found, key=minor) if version in wanted or not wanted
    ]
    missing = [version for version in wanted if version not in found]
    ended = {each.version: try_on(each, pytest_arguments) for each in chosen}
    told = [f"{version} {said}" for version, (_, said) in ended.items()]
    told += [f"{version} not found" for version in missing]
    print("; ".join(told) or "no interpreter was found")
    return 0 if ended and not missing and all(held for held, _ in ended.values()) else 1


def minor(version: str) -> int:
    return int(version.partition(".")[2])


def installed() -> list[Interpreter]:
    """Of this machine, those that start: a pyenv shim exists without working."""
    commands = os.environ.get("NETSIM_PYTHONS", "").split(os.pathsep)
    commands += [shutil.which(f"python3.{number}") or "" for number in range(OLDEST[1], 30)]
    commands += map(str, sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")))
    found = []
    for command in filter(None, commands):
        version = version_of([command])
        if version and tuple(map(int, version.split("."))) >= OLDEST:
            found.append(Interpreter(version, command))
    return found


def version_of(command: list[str]) -> str:
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([*command, "-c", probe], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def of_unstable(wanted: list[str]) -> list[Interpreter]:
    """Those that Debian's unstable suite has, if this machine can hold it."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print("Debian's unstable suite needs root on a Debian: left out", file=sys.stderr)
        return []
    if not (UNSTABLE / "etc/debian_version").exists():
        if shutil.which("debootstrap") is None:
            quiet(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"])
        UNSTABLE.mkdir(parents=True, exist_ok=True)
        include = "--include=ca-certificates"
        quiet(["debootstrap", "--variant=minbase", include, "unstable", str(UNSTABLE), DEBIAN])
        # A mirror may be weeks behind; what it has is signed all the same.
        behind = ("-o", "Acquire::Check-Valid-Until=false")
        quiet(["chroot", str(UNSTABLE), "apt-get", "update", "-qq", *behind])
    listed = subprocess.run(
        ["chroot", UNSTABLE, "apt-cache", "pkgnames", "python3."],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    versions = sorted(set(re.findall(r"^python(3\.\d+)$", listed, re.M)), key=minor)
    found = [version for version in versions if version in wanted or not wanted]
    pythons = [f"python{version}{part}" for version in found for part in ("", "-venv")]
    known = UNSTABLE / "var/lib/dpkg/info"
    absent = [each for each in (*PROGRAMS, *pythons) if not (known / f"{each}.list").exists()]
    if absent:
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
        quiet([*wrapped(UNSTABLE), "sh", "-c", f"{install} {' '.join(absent)}"])
    return [Interpreter(each, f"/usr/bin/python{each}", UNSTABLE) for each in found]


def try_on(interpreter: Interpreter, pytest_arguments: list[str]) -> tuple[bool, str]:
    """Whether the tests passed there, and what pytest said at its end."""
    print(f"== {interpreter.version}: {interpreter.command} of {interpreter.root}", flush=True)
    venv = FOLDER / interpreter.version
    inside = wrapped(interpreter.root)
    steps = [[str(venv / "bin/pip"), "install", "-qq", "--upgrade", "pip>=25.1"]]
    steps.append([str(venv / "bin/pip"), "install", "-qq", "--editable", ".", "--group", "dev"])
    if version_of([*inside, str(venv / "bin/python")]) != interpreter.version:
        steps.insert(0, [interpreter.command, "-m", "venv", "--clear", str(venv)])
    for step in steps:
        if subprocess.run([*inside, *step], cwd=ROOT, check=False).returncode != 0:
            return False, f"has no environment ({' '.join(step)})"
    tests = [str(venv / "bin/python"), "-m", "pytest", "-q", "-n", "auto", "--dist", "loadgroup"]
    tests += ["-p", "no:cacheprovider", *pytest_arguments]
    # Tests of what users do call `python3` and `netsim`.
    path = {**os.environ, "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    running = subprocess.Popen(
        [*inside, *tests], cwd=ROOT, env=path, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None, "it is a pipe"
    last = "said nothing"
    for line in running.stdout:
        print(line, end="", flush=True)
        last = line.strip() or last
    return running.wait() == 0, last


def wrapped(root: Path) -> list[str]:
    """What stands before a command that shall run in the system that lies there."""
    if root == Path("/"):
        return []
    shared = [Path(each) for each in ("/proc", "/dev", "/sys", "/etc/resolv.conf", "/etc/hosts")]
    shared += [ROOT, *of_git(), *of_pip()]
    mounts = [f"mount --rbind '{root}' '{root}'"]
    for path in shared:
        if path.exists():
            inside = Path(f"{root}{path}")
            make = f"mkdir -p '{inside}'"
            if path.is_file():
                make = f"mkdir -p '{inside.parent}'; touch '{inside}'"
            mounts.append(f"{make}; mount --rbind '{path}' '{inside}'")
    mounts.append(f"mount -t tmpfs tmpfs '{root}/run'")
    # Not chroot: the kernel makes no user namespace for who is in one (user_namespaces(7)).
    mounts += [f"cd '{root}'", "pivot_root . .", "umount -l ."]
    enter = f"exec env -C '{ROOT}' HOME=/root \"$@\""
    return ["unshare", "--mount", "sh", "-ec", "; ".join([*mounts, enter]), "sh"]


def of_git() -> list[Path]:
    """The repository, which lies elsewhere when ROOT is a worktree."""
    listed = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return [Path(listed.stdout.strip())] if listed.returncode == 0 else []


def of_pip() -> list[Path]:
    """The files of pip's configuration, and what lies around the places that it names."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "debug"], capture_output=True, text=True, check=True
    ).stdout
    named = {Path(each) for each in re.findall(r"(?:file://|(?<![:\w/]))(/[\w./+-]+)", listed)}
    places = {path.parent if path.is_dir() else path for path in named if path.exists()}
    return sorted(places - {Path("/")})


def quiet(command: list[str]) -> None:
    """Run a command that shows what it says only when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
