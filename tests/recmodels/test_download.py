"""Downloads from a server on this machine: whole and checked, or nothing; archives that stay in their folder."""

import hashlib
import http.server
import io
import stat
import sys
import threading
import zipfile

import numpy as np
import pytest

from recmodels.datasets import download
from recmodels.datasets.download import DownloadError, data_folder, fetch, find_or_download_ml1m, safe_unzip

BODY = np.random.default_rng(0).bytes(700_000)  # more than two blocks


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/no-length":
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[:400_000] if self.path == "/broken" else BODY)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_data_folder_is_the_variable_or_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYDL_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    for unset in (lambda: monkeypatch.setenv("TINYDL_DATA", ""), lambda: monkeypatch.delenv("TINYDL_DATA")):
        unset()
        assert data_folder() == tmp_path / ".cache" / "tinydl"


@pytest.mark.parametrize("name", ["file", "no-length"])
def test_fetch_writes_the_whole_file_and_nothing_else(server, tmp_path, name, capsys):
    path = tmp_path / "new" / "folder" / "file.bin"
    checks = {"md5": hashlib.md5(BODY).hexdigest(), "sha256": hashlib.sha256(BODY).hexdigest().upper(), "size": len(BODY)}
    assert fetch(f"{server.url}/{name}", path, **checks) == path
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]
    captured = capsys.readouterr()
    assert name in captured.err and not captured.out  # progress is not output


def test_fetch_reads_file_urls(tmp_path):
    (tmp_path / "source").write_bytes(BODY)
    assert fetch((tmp_path / "source").as_uri(), tmp_path / "copy").read_bytes() == BODY


def test_fetch_keeps_what_is_there_and_right_and_replaces_what_is_wrong(server, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BODY)
    server.asked.clear()
    fetch(f"{server.url}/file", path, size=len(BODY), md5=hashlib.md5(BODY).hexdigest())
    assert server.asked == []
    path.write_bytes(BODY[:-1] + b"?")
    fetch(f"{server.url}/file", path, size=len(BODY), md5=hashlib.md5(BODY).hexdigest())
    assert server.asked == ["/file"] and path.read_bytes() == BODY


@pytest.mark.parametrize(("name", "checks", "message"), [
    ("broken", {}, "broke off after 400,000 of 700,000 bytes"),
    ("file", {"md5": "0" * 32}, f"its md5 is {hashlib.md5(BODY).hexdigest()}, want 000"),
    ("file", {"sha256": "0" * 64}, f"its sha256 is {hashlib.sha256(BODY).hexdigest()}, want 000"),
    ("file", {"size": 700_001}, "it has 700,000 bytes, want 700,001"),
    ("no-length", {"size": 1000}, "longer than the 1,000 bytes"),
    ("missing", {}, "could not download .*missing: Not Found"),
])
def test_a_failed_download_leaves_nothing_and_spares_the_old_file(server, tmp_path, name, checks, message):
    path = tmp_path / "file"
    for before in ([], [path]):
        with pytest.raises(DownloadError, match=message):
            fetch(f"{server.url}/{name}", tmp_path / "file" if not before else path, **checks or {"size": 700_000})
        assert list(tmp_path.iterdir()) == before
        path.write_bytes(b"old")
    assert path.read_bytes() == b"old"


def test_a_dead_server_and_a_strange_url_are_named(tmp_path):
    with pytest.raises(DownloadError, match="could not download http://127.0.0.1:9/x: .*by hand"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x")
    with pytest.raises(ValueError, match="ftp://x/y.*https:"):
        fetch("ftp://x/y", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path, server):
    (tmp_path / "plain").write_text("a file where a folder should be")
    with pytest.raises(DownloadError, match="cannot write to the folder .*plain.*TINYDL_DATA"):
        fetch(f"{server.url}/file", tmp_path / "plain" / "x")
    with pytest.raises(DownloadError, match="cannot write to the folder .*plain"):
        safe_unzip(_zip(tmp_path / "a.zip", {"x": b"1"}), tmp_path / "plain")


def test_the_rename_comes_after_the_checks_and_the_disk(server, tmp_path, monkeypatch):
    """Order of events: received, forced to disk, checked, renamed."""
    events = []
    for owner, name in ((download.os, "fsync"), (download, "_complaint"), (download.os, "replace")):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, real=real, name=name: (events.append(name), real(*a))[1])
    fetch(f"{server.url}/file", tmp_path / "x", size=len(BODY))
    assert events == ["fsync", "_complaint", "replace"]


def test_progress_without_tqdm_are_lines_on_stderr(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    fetch(f"{server.url}/file", tmp_path / "x")
    assert capsys.readouterr().err.splitlines()[-1] == "file: 0.7 of 0.7 MB"


# ---------------------------------------------------------------- archives
def _zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in members.items():
            made.writestr(name, body)
    return path


def test_unzip_unpacks(tmp_path):
    safe_unzip(_zip(tmp_path / "a.zip", {"top/": b"", "top/x.dat": b"1", "top/deep/y.dat": b"22"}), tmp_path / "out")
    assert (tmp_path / "out/top/x.dat").read_bytes() == b"1"
    assert (tmp_path / "out/top/deep/y.dat").read_bytes() == b"22"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["top"]


def _link():
    info = zipfile.ZipInfo("link")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(("name", "message"), [
    ("/etc/x", "leads out"), ("../x", "leads out"), ("a/../../x", "leads out"), ("..\\x", "leads out"),
    ("C:\\x", "leads out"), ("\\x", "leads out"), (_link(), "link or device"),
    ("GOOD.TXT", "twice"), ("there/x", "is there already"),
])
def test_unzip_refuses_names_that_lead_elsewhere(tmp_path, name, message):
    (tmp_path / "out" / "there").mkdir(parents=True)
    archive = _zip(tmp_path / "a.zip", {"good.txt": b"good", name: b"bad"})
    with pytest.raises(DownloadError, match=message):
        safe_unzip(archive, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip", "out", "there"]


def test_unzip_refuses_bombs(tmp_path):
    with pytest.raises(DownloadError, match="unpacks to 50,000,000 bytes"):
        safe_unzip(_zip(tmp_path / "a.zip", {"zeros": bytes(50_000_000)}), tmp_path / "out")
    with pytest.raises(DownloadError, match="unpacks to 700,000 bytes, want at most 699,999"):
        safe_unzip(_zip(tmp_path / "b.zip", {"x": BODY}), tmp_path / "out", limit=699_999)
    safe_unzip(tmp_path / "b.zip", tmp_path / "out", limit=700_000)


def test_unzip_of_a_broken_archive_leaves_nothing(tmp_path):
    whole = _zip(tmp_path / "a.zip", {"first": b"1", "x": BODY}).read_bytes()
    for broken in (whole[:-100], b"<html>", b"", whole[:300_000] + bytes([whole[300_000] ^ 255]) + whole[300_001:]):
        (tmp_path / "a.zip").write_bytes(broken)
        with pytest.raises(DownloadError, match="not a whole, plain zip file"):
            safe_unzip(tmp_path / "a.zip", tmp_path / "out")
        assert not list((tmp_path / "out").iterdir() if (tmp_path / "out").exists() else [])


def test_movielens_is_found_or_downloaded(tmp_path, monkeypatch, capsys):
    buffer = io.BytesIO()
    _zip(buffer, {"ml-1m/ratings.dat": b"1::1::5::1\n"})
    (tmp_path / "source.zip").write_bytes(buffer.getvalue())
    url = (tmp_path / "source.zip").as_uri()
    size, md5 = len(buffer.getvalue()), hashlib.md5(buffer.getvalue()).hexdigest()
    monkeypatch.setitem(download._MOVIELENS, "1m", ("ml-1m", "ratings.dat", url, size, md5))
    monkeypatch.setenv("TINYDL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert find_or_download_ml1m() == tmp_path / "data" / "ml-1m"
    assert "downloading" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["ml-1m"]  # the archive is not kept
    monkeypatch.setattr(download, "fetch", None)  # from here on nothing is downloaded
    assert find_or_download_ml1m() == tmp_path / "data" / "ml-1m"
    (tmp_path / "home/.cache/tinydl").mkdir(parents=True)
    (tmp_path / "data/ml-1m").rename(tmp_path / "home/.cache/tinydl/ml-1m")
    assert find_or_download_ml1m() == tmp_path / "home/.cache/tinydl/ml-1m"


def test_the_published_sizes_and_checksums():
    assert download._MOVIELENS["1m"][2:] == ("https://files.grouplens.org/datasets/movielens/ml-1m.zip", 5_917_549,
                                             "c4d9eecfca2ab87c1945afe126590906")
