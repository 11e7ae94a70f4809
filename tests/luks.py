"""An encrypted volume of our own: LUKS on a loop device, which needs root and the kernel's device mapper."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KEY = b"a key for tests"
_MEGABYTES = 64


def refusal() -> str:
    """Why no encrypted volume can be opened here; empty when it can: one is made and opened to find out."""
    if os.geteuid() != 0:
        return "an encrypted volume needs root"
    missing = [name for name in ("cryptsetup", "losetup", "mkfs.ext4", "mount") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian packages cryptsetup-bin, mount, e2fsprogs)"
    with tempfile.TemporaryDirectory() as folder:
        try:
            image = new_image(Path(folder) / "probe")
            with mounted(image, Path(folder) / "mount"):
                return ""
        except subprocess.CalledProcessError as problem:
            return f"an encrypted volume cannot be opened: {problem.stderr.decode().strip().splitlines()[0]}"


def new_image(image: Path) -> Path:
    """A file that is an encrypted volume with an empty ext4; few rounds, since no secret is kept here."""
    with image.open("wb") as file:
        file.truncate(_MEGABYTES * 2**20)
    quick = ["--type", "luks2", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]
    _run("cryptsetup", "luksFormat", *quick, "--key-file", "-", str(image), key=_KEY)
    with _opened(image) as device:
        _run("mkfs.ext4", "-q", device)
    return image


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """The volume on a folder."""
    folder.mkdir(exist_ok=True)
    with _opened(image) as device:
        _run("mount", device, str(folder))
        try:
            yield folder
        finally:
            _run("umount", str(folder))


@contextmanager
def _opened(image: Path) -> Iterator[str]:
    name = f"carnet-test-{os.getpid()}"
    loop = _run("losetup", "--find", "--show", str(image))
    try:
        _run("cryptsetup", "open", "--key-file", "-", loop, name, key=_KEY)
        try:
            yield f"/dev/mapper/{name}"
        finally:
            _run("cryptsetup", "close", name)
    finally:
        _run("losetup", "--detach", loop)


def _run(*command: str, key: bytes = b"") -> str:
    return subprocess.run(command, input=key, check=True, capture_output=True).stdout.decode().strip()
