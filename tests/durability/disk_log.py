"""What a process did to its files, recorded by strace, and the disks that a power cut could leave of it.

A write counts as kept once its file was synced, a name once its folder was; what was not synced may be
there, torn or missing, in any combination. Nothing else is assumed of the file system.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat"
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_UNFINISHED = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")
_DESCRIPTOR = re.compile(r"^(-?\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*|[^>]*)>")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
SECTOR = 512


def why_no_strace() -> str:
    """Empty when strace can follow a process here, else the reason it cannot."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"strace may not follow processes here: {done.stderr.strip()[-100:]}"


@contextmanager
def followed(pid: int, log: Path, *inject: str) -> Iterator[None]:
    """strace on a waiting process, attached before the block begins."""
    command = ["strace", "-f", "-y", "-xx", "-s", "4000000", "-o", str(log), "-e", f"trace={_CALLS}", "-p", str(pid)]
    for one in inject:
        command += ["-e", f"inject={one}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while f"TracerPid:\t{process.pid}" not in Path(f"/proc/{pid}/status").read_text():
            assert process.poll() is None, "strace ended before it followed"
            assert time.monotonic() < deadline, "strace does not follow"
            time.sleep(0.002)
        yield
    finally:
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()


@dataclass
class File:
    """Content as it was, then changes in their order: (offset, octets), or (length, None) for a truncation."""

    content: bytes = b""
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)
    synced: int = 0


@dataclass
class Folder:
    """Names as they were, then changes: (name, file) or (name, None) for a name that goes."""

    names: dict[str, File] = field(default_factory=dict)
    changes: list[tuple[str, File | None]] = field(default_factory=list)
    synced: int = 0


class Disk:
    """The files below one folder while a log is replayed."""

    def __init__(self, snapshot: Path) -> None:
        self.folders: dict[str, Folder] = {}
        self.now: dict[str, File] = {}
        for root, _, names in os.walk(snapshot):
            relative = os.path.relpath(root, snapshot)
            folder = self.folders.setdefault("" if relative == "." else relative, Folder())
            for name in names:
                file = File(content=(Path(root) / name).read_bytes())
                folder.names[name] = file
                self.now[os.path.normpath(f"{relative}/{name}")] = file

    def create(self, path: str) -> None:
        if path not in self.now:
            self._put(path, File())

    def make_folder(self, path: str) -> None:
        self.folders.setdefault(path, Folder())

    def rename(self, old: str, new: str) -> None:
        file = self.now.pop(old)
        self._name(old, None)
        self._put(new, file)

    def unlink(self, path: str) -> None:
        if self.now.pop(path, None) is not None:
            self._name(path, None)

    def change(self, path: str, offset: int, octets: bytes | None) -> None:
        if path in self.now:
            self.now[path].changes.append((offset, octets))

    def sync(self, path: str) -> None:
        if path in self.folders:
            self.folders[path].synced = len(self.folders[path].changes)
        elif path in self.now:
            self.now[path].synced = len(self.now[path].changes)

    def length(self, path: str) -> int:
        return len(_content(self.now[path], keep=lambda _: True)) if path in self.now else 0

    def write_to(self, target: Path, chance: random.Random | None) -> None:
        """The disk after a power cut; without `chance` after a kill, when everything written is there."""
        for path, folder in self.folders.items():
            place = target / path
            place.mkdir(parents=True, exist_ok=True)
            names = dict(folder.names)
            for number, (name, file) in enumerate(folder.changes):
                if number < folder.synced or chance is None or chance.random() < 0.5:
                    names.pop(name, None) if file is None else names.__setitem__(name, file)
            for name, file in names.items():
                if not name.endswith("-shm"):
                    (place / name).write_bytes(_survived(file, chance))

    def _put(self, path: str, file: File) -> None:
        self.now[path] = file
        self._name(path, file)

    def _name(self, path: str, file: File | None) -> None:
        folder, name = os.path.split(path)
        self.folders.setdefault(folder, Folder()).changes.append((name, file))


def _survived(file: File, chance: random.Random | None) -> bytes:
    if chance is None:
        return _content(file, keep=lambda _: True)
    drops = chance.random()
    return _content(file, keep=lambda number: number < file.synced or chance.random() > drops, torn=chance)


def _content(file: File, *, keep, torn: random.Random | None = None) -> bytes:  # type: ignore[no-untyped-def]
    content = bytearray(file.content)
    for number, (offset, octets) in enumerate(file.changes):
        if not keep(number):
            continue
        if octets is None:
            del content[offset:]
            content.extend(bytes(max(0, offset - len(content))))
            continue
        if torn is not None and number >= file.synced and torn.random() < 0.2:
            octets = octets[: SECTOR * torn.randint(0, len(octets) // SECTOR)]
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(octets)] = octets
    return bytes(content)


@dataclass(frozen=True)
class Call:
    """One finished system call: name, raw arguments, result."""

    name: str
    arguments: str
    result: int

    def descriptor_path(self) -> str:
        match = _DESCRIPTOR.match(self.arguments)
        return "" if match is None else _text(match[2])

    def strings(self) -> list[bytes]:
        return [bytes.fromhex(one.replace("\\x", "")) for one in _STRING.findall(self.arguments)]


def calls(log: Path) -> Iterator[Call]:
    """The calls of all threads in the order they ended."""
    waiting: dict[str, str] = {}
    for line in log.read_text().splitlines():
        unfinished, resumed = _UNFINISHED.match(line), _RESUMED.match(line)
        if unfinished is not None:
            waiting[unfinished[1]] = unfinished[2]
            continue
        if resumed is not None and resumed[1] in waiting:
            line = f"{resumed[1]} {waiting.pop(resumed[1])}{resumed[2]}"
        match = _LINE.match(line)
        if match is not None:
            yield Call(match[2], match[3], int(match[4]))


class Replay:
    """Applies calls to a disk; what was acknowledged so far stands in `lines`."""

    def __init__(self, root: Path, snapshot: Path) -> None:
        self._root, self.disk, self.lines = str(root), Disk(snapshot), []  # type: ignore[var-annotated]

    def apply(self, call: Call) -> bool:
        """Whether the call was one that changes what a cut leaves."""
        if call.result < 0:
            return False
        path = self._inside(call.descriptor_path())
        if call.name in ("fsync", "fdatasync") and path is not None:
            self.disk.sync(path)
        elif call.name in ("write", "pwrite64") and path is not None:
            self._write(call, path)
        elif call.name == "ftruncate" and path is not None:
            self.disk.change(path, int(call.arguments.rpartition(",")[2], 0), None)
        elif call.name == "openat" and "O_CREAT" in call.arguments:
            self._named(call, self.disk.create)
        elif call.name.startswith("mkdir"):
            self._named(call, self.disk.make_folder)
        elif call.name.startswith("unlink"):
            self._named(call, self.disk.unlink)
        elif call.name.startswith("rename"):
            old, new = (self._inside(one.decode()) for one in call.strings())
            if old is not None and new is not None:
                self.disk.rename(old, new)
        else:
            return False
        return True

    def _write(self, call: Call, path: str) -> None:
        octets = call.strings()[0][: call.result] if call.strings() else b""
        if path == "acknowledged":
            self.lines.append(octets.decode())
            return
        offset = int(call.arguments.rpartition(",")[2]) if call.name == "pwrite64" else self.disk.length(path)
        self.disk.change(path, offset, octets)

    def _named(self, call: Call, action) -> None:  # type: ignore[no-untyped-def]
        path = self._inside(call.strings()[-1].decode())
        if path is not None:
            action(path)

    def _inside(self, path: str) -> str | None:
        if path == self._root:
            return ""
        return path[len(self._root) + 1 :] if path.startswith(self._root + "/") else None


def _text(shown: str) -> str:
    return bytes.fromhex(shown.replace("\\x", "")).decode() if shown.startswith("\\x") else shown
