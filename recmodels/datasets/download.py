"""Downloads: a file arrives whole and checked, or not at all; an archive cannot write outside its folder.

`$TINYDL_DATA`, or else ~/.cache/tinydl, is the data folder. A file is written under another name, checked for size and
checksum, forced to disk, and only then renamed: what carries the final name is what the publisher meant.
"""

import contextlib
import hashlib
import http.client
import os
import pathlib
import secrets
import shutil
import stat
import sys
import urllib.error
import urllib.request
import zipfile
import zlib

_BLOCK = 1 << 18
_MOVIELENS = {  # version: name of the folder, a file in it, URL, size and md5 as GroupLens publishes them
    "1m": ("ml-1m", "ratings.dat", "https://files.grouplens.org/datasets/movielens/ml-1m.zip", 5_917_549,
           "c4d9eecfca2ab87c1945afe126590906"),
    "100k": ("ml-100k", "u.data", "https://files.grouplens.org/datasets/movielens/ml-100k.zip", 4_924_029,
             "0e33842e24a9c977be4e0107933c0723"),
}


class DownloadError(OSError):
    """A download or an archive is not what it should be; nothing was kept of it."""


def data_folder():
    """The folder of all data sets: $TINYDL_DATA if it is set, else ~/.cache/tinydl."""
    return pathlib.Path(os.environ.get("TINYDL_DATA") or _cache())


def _cache():
    return pathlib.Path.home() / ".cache" / "tinydl"


def find_or_download_movielens(version="1m"):
    """The folder of MovieLens 1M or 100K: in $TINYDL_DATA, in the cache, or else downloaded from GroupLens."""
    name, file, url, size, md5 = _MOVIELENS[version]
    for root in (data_folder(), _cache()):
        if (root / name / file).is_file():
            return root / name
    root = data_folder()
    print(f"MovieLens {version.upper()} is neither in {root} nor in {_cache()}: downloading it (for research, not to be "
          "passed on; see its README)", file=sys.stderr)
    archive = fetch(url, root / f"{name}.zip", md5=md5, size=size)
    safe_unzip(archive, root)
    archive.unlink()
    if not (root / name / file).is_file():
        raise DownloadError(f"{url} holds no {name}/{file}: has GroupLens changed it? Unpack it by hand to {root / name}")
    return root / name


def find_or_download_ml1m():
    """The folder of MovieLens 1M: in $TINYDL_DATA, in the cache, or else downloaded from GroupLens."""
    return find_or_download_movielens("1m")


def fetch(url, path, md5=None, sha256=None, size=None, timeout=60):
    """Download `url` to the file `path` and return the path; a file that is there already and passes the checks is kept.

    md5, sha256 (hexadecimal) and size (bytes): what the file must have, as far as it is known. Progress goes to stderr.
    """
    path = pathlib.Path(path)
    if url.partition(":")[0] not in ("https", "http", "file"):
        raise ValueError(f"fetch: got the URL {url!r}, want one that starts with https:, http: or file:")
    if path.is_file() and not _complaint(path, md5, sha256, size):
        return path
    _make_folder(path.parent)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")  # of its own: two processes may fetch one file
    try:
        _receive(url, partial, size, timeout)
        complaint = _complaint(partial, md5, sha256, size)
        if complaint:
            raise DownloadError(f"fetch: {url}: {complaint}; nothing was kept. Try again; if it comes back, the publisher "
                                "may have changed the file")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _receive(url, partial, size, timeout):
    """Write the answer's bytes to `partial` and force them to disk. A short answer is an error, and so is a long one."""
    by_hand = f"check the network, or download it by hand to {partial.parent}"
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer, _open(partial) as file:
            promised = answer.headers.get("Content-Length")
            promised = int(promised) if promised else None
            got, show = 0, _progress(url.rpartition("/")[2], promised or size)
            with contextlib.closing(show):
                while block := answer.read(_BLOCK):
                    file.write(block)
                    got += len(block)
                    show.update(len(block))
                    if size is not None and got > size:
                        raise DownloadError(f"fetch: {url} is longer than the {size:,} bytes it should have; nothing "
                                            "was kept")
            file.flush()
            os.fsync(file.fileno())
    except DownloadError:
        raise
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(f"fetch: could not download {url}: {reason}; {by_hand}") from error
    if promised is not None and got != promised:
        raise DownloadError(f"fetch: {url} broke off after {got:,} of {promised:,} bytes; nothing was kept. Try "
                            f"again, or {by_hand}")


def _open(partial):
    try:
        return open(partial, "xb")
    except OSError as error:
        raise DownloadError(_unwritable(partial.parent, error)) from error


def _make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(_unwritable(folder, error)) from error


def _unwritable(folder, error):
    return (f"cannot write to the folder {folder}: {error.strerror or error}; set TINYDL_DATA to a folder that you may "
            "write to, or put the files there by hand")


def _complaint(path, md5, sha256, size):
    """What is wrong with the file, in words; "" if it is as it should be."""
    length = path.stat().st_size
    if size is not None and length != size:
        return f"it has {length:,} bytes, want {size:,}"
    for name, want in (("md5", md5), ("sha256", sha256)):
        if want is not None:
            digest = hashlib.new(name, usedforsecurity=False)
            with open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
            if digest.hexdigest() != want.lower():
                return f"its {name} is {digest.hexdigest()}, want {want.lower()}"
    return ""


def _progress(name, total):
    try:
        from tqdm import tqdm
    except ImportError:
        return _Lines(name, total)
    return tqdm(total=total, desc=name, unit="B", unit_scale=True, file=sys.stderr)


class _Lines:
    """Progress without tqdm: a line on stderr for each tenth of the file, or each 10 MB of unknown many."""

    def __init__(self, name, total):
        self.name, self.total, self.got, self.step = name, total, 0, max((total or 10**8) // 10, 1)

    def update(self, count):
        before, self.got = self.got // self.step, self.got + count
        if self.got // self.step > before:
            of = f" of {self.total / 1e6:.1f}" if self.total else ""
            print(f"{self.name}: {self.got / 1e6:.1f}{of} MB", file=sys.stderr)

    def close(self):
        pass


def safe_unzip(archive, folder, limit=1 << 30):
    """Unpack a zip file into `folder`: wholly, or not at all.

    Refused before a byte is written: absolute names, names with "..", links and devices, a name that comes twice or is
    there already, and more than `limit` bytes in all or a hundred times the archive's own size (a zip bomb).
    """
    archive, folder = pathlib.Path(archive), pathlib.Path(folder)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check_members(archive, members, folder, limit)
            _make_folder(folder)
            partial = folder / f".{archive.name}.{secrets.token_hex(4)}.part"
            _make_folder(partial)
            try:
                opened.extractall(partial)  # checks each member's CRC, and stops at the size it declared
                for entry in sorted(partial.iterdir()):
                    os.rename(entry, folder / entry.name)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except (zipfile.BadZipFile, EOFError, RuntimeError, zlib.error) as error:  # RuntimeError: encrypted
        raise DownloadError(f"{archive} is not a whole, plain zip file ({error}): delete it and download it "
                            "again") from error


def _check_members(archive, members, folder, limit):
    seen, total = {}, 0
    for member in members:
        name = member.filename.replace("\\", "/")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
            raise DownloadError(f"{archive} holds {member.filename!r}, a name that leads out of the folder; nothing was "
                                "unpacked. Get the archive from its publisher")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DownloadError(f"{archive} holds {member.filename!r}, a link or device, want files and folders only; "
                                "nothing was unpacked")
        if name.rstrip("/").lower() in seen:  # one file on systems that ignore case
            raise DownloadError(f"{archive} holds {member.filename!r} twice; nothing was unpacked")
        seen[name.rstrip("/").lower()] = member
        top = folder / name.split("/")[0]
        if top.exists():
            raise DownloadError(f"{archive} holds {member.filename!r}, but {top} is there already: move it away first")
        total += member.file_size
    allowed = min(limit, 100 * archive.stat().st_size + (1 << 20))
    if total > allowed:
        raise DownloadError(f"{archive} unpacks to {total:,} bytes, want at most {allowed:,} (the lesser of "
                            f"limit={limit:,} and a hundred times the archive); nothing was unpacked")
