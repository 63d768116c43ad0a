from __future__ import annotations

import functools
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from local_server import listening
from video_clips import number_of, numbered

from reelgym.errors import MediaError, RequestError, WorkError
from reelgym.video import FrameSpec, Store, find_videos, identify, probe, read, remote, search, tar, write_mp4
from reelgym.video.places import about, joined, parse, relative, root_of, stamp
from reelgym.video.probing import choose_scheme

SPEC = FrameSpec(fps=5)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr("reelgym.video.remote.time.sleep", lambda _: None)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    write_mp4(str(path), map(numbered, range(10)), 5)
    return path


@pytest.fixture
def shard(tmp_path: Path, clip: Path) -> Path:
    """A WebDataset shard: two videos with their texts, and what must be left out."""
    path = tmp_path / "data" / "shard-000.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        for name in ("one.mp4", "one.json", "./deep//two.mp4", "../up.mp4", "/abs.mp4"):
            member = tarfile.TarInfo(name)
            data = clip.read_bytes() if name.endswith("mp4") else b"{}"
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("link.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


@pytest.fixture
def memory(clip: Path) -> Iterator[str]:
    """A prefix of fsspec's store in memory that holds one clip and a text."""
    fsspec = pytest.importorskip("fsspec")
    fs = fsspec.filesystem("memory")
    fs.pipe({"/bucket/in/a.mp4": clip.read_bytes(), "/bucket/in/b.txt": b"x", "/bucket/out.mp4": b"y"})
    yield "memory://bucket"
    fs.rm("/bucket", recursive=True)


def _same_as_local(place: str, clip: Path) -> None:
    video, local = probe(place), probe(str(clip))
    assert (video.identity, video.size_bytes, video.duration_seconds) == (
        local.identity,
        local.size_bytes,
        local.duration_seconds,
    )
    np.testing.assert_array_equal(read(video, SPEC).pixels, read(local, SPEC).pixels)


def test_a_tar_stands_for_its_videos_and_they_are_read_in_place(shard: Path, clip: Path) -> None:
    found = search([str(shard.parent)])
    assert list(found.paths) == [f"{shard}/deep/two.mp4", f"{shard}/one.mp4"]
    assert found.ignored == 1  # the text; links and names that lead elsewhere are no files of the tar
    assert find_videos([str(shard)]) == list(found.paths)
    assert find_videos([f"{shard}/one.mp4"]) == [f"{shard}/one.mp4"]
    for place in found.paths:
        _same_as_local(place, clip)
    assert stamp(found.paths[0])[0] == clip.stat().st_size
    assert os.listdir(shard.parent) == [shard.name]


def test_a_folder_named_like_a_tar_is_a_folder(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "x.tar").mkdir()
    shutil.copy(clip, tmp_path / "x.tar" / "a.mp4")
    assert find_videos([str(tmp_path)]) == [f"{tmp_path}/x.tar/a.mp4"]
    assert parse(f"{tmp_path}/x.tar/a.mp4").member is None
    _same_as_local(f"{tmp_path}/x.tar/a.mp4", clip)


def test_a_member_that_is_not_there_is_one_line(shard: Path) -> None:
    with pytest.raises(MediaError, match=r"no.mp4: open: no such file in .*shard-000.tar"):
        probe(f"{shard}/no.mp4")
    assert stamp(f"{shard}/no.mp4") == (-1, 0)


def test_a_damaged_tar_gives_what_comes_before_and_is_listed(shard: Path, clip: Path) -> None:
    data = bytearray(shard.read_bytes())
    at = data.index(b"deep//two.mp4") - 2
    data[at : at + 400] = b"\xff" * 400
    shard.write_bytes(bytes(data))
    found = search([str(shard)])
    assert [os.path.basename(path) for path in found.paths] == ["one.mp4"]
    assert found.unreadable == ((str(shard), f"damaged at byte {at}, what follows is not read"),)


def test_a_tar_cut_inside_a_member_refuses_that_member_alone(shard: Path) -> None:
    with open(shard, "rb") as file:
        start, size = tar.members(file, "x").members["deep/two.mp4"]
    shard.write_bytes(shard.read_bytes()[: start + size // 2])
    places = find_videos([str(shard.parent)])
    assert probe(f"{shard}/one.mp4").codec == "h264"
    if f"{shard}/deep/two.mp4" in places:
        with pytest.raises(MediaError, match="the tar ends before this file does"):
            probe(f"{shard}/deep/two.mp4")


def test_what_is_no_plain_tar_is_refused_when_named_and_listed_when_found(tmp_path: Path, clip: Path) -> None:
    shutil.copy(clip, tmp_path / "a.mp4")
    with tarfile.open(tmp_path / "z.tar", "w:gz") as archive:
        archive.add(clip, "a.mp4")
    found = search([str(tmp_path)])
    assert found.paths == (str(tmp_path / "a.mp4"),)
    assert "not an uncompressed tar" in found.unreadable[0][1]
    with pytest.raises(RequestError, match=r"not an uncompressed tar .*; unpack it, or pack it again"):
        search([str(tmp_path / "z.tar")])


def test_a_hostile_header_is_never_read_into_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 4 * 1024**3
    path = tmp_path / "a.tar"
    path.write_bytes(header.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024)
    with open(path, "rb") as file, pytest.raises(MediaError, match="a header of 4294967296 bytes; at most 1048576"):
        tar.members(file, "a.tar")


def test_a_tar_of_too_many_members_says_where_it_stopped(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "MAX_MEMBERS", 1)
    with open(shard, "rb") as file:
        found = tar.members(file, "x")
    assert list(found.members) == ["one.mp4"] and "more than 1 members" in found.damage


def test_a_uri_is_searched_probed_read_and_fetched_once(
    memory: str, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_videos([memory + "/in"]) == ["memory://bucket/in/a.mp4"]
    assert search([memory + "/in"]).ignored == 1
    place = "memory://bucket/in/a.mp4"
    _same_as_local(place, clip)
    monkeypatch.setattr(remote, "_copy", lambda *_: pytest.fail("fetched twice"))
    assert [number_of(p) for p in read(place, SPEC).pixels] == list(range(10))


def test_a_remote_shard_is_read_without_fetching_all_of_it(memory: str, shard: Path, clip: Path) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/bucket/s.tar", shard.read_bytes())
    places = find_videos([memory + "/s.tar"])
    assert places == ["memory://bucket/s.tar/deep/two.mp4", "memory://bucket/s.tar/one.mp4"]
    _same_as_local(places[0], clip)
    copies = list(remote.copies_folder().glob("*.copy"))
    assert [copy.stat().st_size for copy in copies] == [clip.stat().st_size]


def test_a_remote_file_that_changes_is_fetched_anew(memory: str, tmp_path: Path) -> None:
    import fsspec

    before = identify("memory://bucket/in/a.mp4", "quick")
    write_mp4(str(tmp_path / "b.mp4"), map(numbered, range(5, 10)), 5)
    fsspec.filesystem("memory").pipe("/bucket/in/a.mp4", (tmp_path / "b.mp4").read_bytes())
    assert [number_of(p) for p in read("memory://bucket/in/a.mp4", SPEC).pixels] == list(range(5, 10))
    assert identify("memory://bucket/in/a.mp4", "quick") != before


def test_copies_used_longest_ago_make_room(memory: str, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    size = clip.stat().st_size
    monkeypatch.setenv("REELGYM_FETCH_BYTES", str(2 * size))
    for name in "abc":
        fsspec.filesystem("memory").pipe(f"/bucket/{name}.mp4", clip.read_bytes())
        read(f"memory://bucket/{name}.mp4", SPEC)
    assert len(list(remote.copies_folder().glob("*.copy"))) == 2


class _Server(SimpleHTTPRequestHandler):
    """Serves a folder; with `ranges`, pieces and version tags too; one in `fails` requests is refused."""

    ranges, fails, log = True, 0, list[str]()

    def log_message(self, *_: object) -> None:
        pass

    def end_headers(self) -> None:
        path = Path(self.translate_path(self.path))
        if self.ranges and path.is_file():
            self.send_header("ETag", hashlib.sha256(path.read_bytes()).hexdigest()[:16])
        super().end_headers()

    def do_GET(self) -> None:
        self.log.append(self.headers.get("Range", "whole"))
        path = Path(self.translate_path(self.path))
        if self.fails and len(self.log) % self.fails == 0:
            self.send_error(503)
        elif self.ranges and "Range" in self.headers and path.is_file():
            start, stop = (int(part) for part in self.headers["Range"].removeprefix("bytes=").split("-"))
            data = path.read_bytes()
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{min(stop, len(data) - 1)}/{len(data)}")
            self.send_header("Content-Length", str(len(data[start : stop + 1])))
            self.end_headers()
            self.wfile.write(data[start : stop + 1])
        else:
            super().do_GET()


@pytest.fixture
def web(tmp_path: Path, clip: Path) -> Iterator[tuple[str, type[_Server]]]:
    pytest.importorskip("aiohttp")
    (tmp_path / "web" / "sub").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "web" / "a.mp4")
    shutil.copy(clip, tmp_path / "web" / "sub" / "b.mp4")
    (tmp_path / "web" / "notes.txt").write_text("x")
    handler = type("Handler", (_Server,), {"log": [], "ranges": True, "fails": 0})
    with listening(functools.partial(handler, directory=tmp_path / "web")) as address:
        yield address, handler


@pytest.mark.parametrize("ranges", [True, False])
def test_a_web_server_is_read_with_and_without_pieces(web: tuple[str, type[_Server]], clip: Path, ranges: bool) -> None:
    root, handler = web
    handler.ranges = ranges
    assert find_videos([root + "/"]) == [f"{root}/a.mp4", f"{root}/sub/b.mp4"]
    _same_as_local(f"{root}/a.mp4", clip)
    assert identify(f"{root}/a.mp4", "quick").startswith("quick:")


def test_the_quick_identity_of_a_large_file_reads_three_pieces(web: tuple[str, type[_Server]], tmp_path: Path) -> None:
    root, handler = web
    mib = 1024**2
    data = np.random.default_rng(0).bytes(5 * mib)
    (tmp_path / "web" / "big.mp4").write_bytes(data)
    found = identify(f"{root}/big.mp4", "quick")
    assert sorted(handler.log) == sorted(
        [f"bytes=0-{mib - 1}", f"bytes={2 * mib}-{3 * mib - 1}", f"bytes={4 * mib}-{5 * mib - 1}"]
    )
    tag = hashlib.sha256(data).hexdigest()[:16]
    expected = hashlib.sha256(f"reelgym quick 1\n{len(data)}\nETag={tag}\n".encode())
    for start in (0, 2 * mib, 4 * mib):
        expected.update(data[start : start + mib])
    assert found == f"quick:{expected.hexdigest()}"


def test_a_request_that_fails_is_repeated_and_a_server_that_is_gone_is_one_line(
    web: tuple[str, type[_Server]], clip: Path
) -> None:
    root, handler = web
    handler.fails = 2
    _same_as_local(f"{root}/a.mp4", clip)
    with pytest.raises(MediaError, match=r"none.mp4: open: no such file"):
        probe(f"{root}/none.mp4")
    with pytest.raises(WorkError, match=r"http://127.0.0.1:9/a.mp4 cannot be read: .*; repeat the command to go on"):
        probe("http://127.0.0.1:9/a.mp4")


def test_quick_and_full_names_of_a_local_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    data = bytearray(np.random.default_rng(1).bytes(4 * 1024**2))
    path.write_bytes(data)
    before = {scheme: identify(str(path), scheme) for scheme in ("full", "quick")}  # type: ignore[arg-type]
    assert before["full"] == "full:" + hashlib.sha256(data).hexdigest()
    data[1_300_000] ^= 1  # between the first and the middle MiB
    path.write_bytes(data)
    assert identify(str(path)) != before["full"]
    assert identify(str(path), "quick") == before["quick"]
    data[2 * 1024**2] ^= 1  # inside the middle MiB
    path.write_bytes(data)
    assert identify(str(path), "quick") != before["quick"]


def test_one_scheme_is_chosen_for_all_files() -> None:
    assert choose_scheme({"a": 10, "b": 2 * 1024**3}) == "quick"
    assert choose_scheme({"a": 10, "s3://b/c.mp4": 10}) == "quick"
    assert choose_scheme({"a": 10, "b": 20}) == "full"
    assert choose_scheme({"a": 10, "b": 2 * 1024**3}, "full") == "full"


def test_the_store_compares_a_quick_identity_by_its_own_scheme(tmp_path: Path, clip: Path) -> None:
    kept = Store(tmp_path / "s")
    frames = kept.frames(identify(str(clip), "quick"), str(clip), SPEC)
    assert [number_of(p) for p in frames.pixels] == list(range(10))
    with pytest.raises(MediaError, match="file has changed: its content is quick:"):
        kept.frames("quick:" + "0" * 64, str(clip), SPEC)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("ftp://x/a.mp4", "scheme 'ftp' is not read; known: gcs, gs, hf, http, https, memory, s3"),
        ("http://user:pw@x/a.mp4", "a URI with a user or password in it is not read"),
        ("s3://b/a.zip::memory://x", "chained URIs"),
        ("memory://nowhere/at/all", "holds no files"),
    ],
)
def test_uris_that_are_not_read_are_one_line(uri: str, words: str) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(RequestError, match=words):
        search([uri])


def test_roots_hold_all_places_and_joining_undoes_relating(tmp_path: Path) -> None:
    local = [str(tmp_path / "a" / "x.mp4"), str(tmp_path / "b.tar" / "y.mp4")]
    bucket = ["s3://b/in/x.mp4", "s3://b/in/deep/y.mp4"]
    for places, root in ((local, str(tmp_path)), (bucket, "s3://b/in"), ([*local, *bucket], "")):
        assert root_of(places) == root
        assert [joined(root, relative(place, root)) for place in places] == places
    assert root_of(["s3://b/x.mp4", "s3://c/y.mp4"]) == ""
    assert root_of(["s3://b/x.mp4", "s3://b/xy/z.mp4"]) == "s3://b"
    assert relative(bucket[1], "s3://b/in") == "deep/y.mp4"
    assert joined("/moved/here", "deep/y.mp4") == "/moved/here/deep/y.mp4"
    assert about(__file__).size == os.path.getsize(__file__)
