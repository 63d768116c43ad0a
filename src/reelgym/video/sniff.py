"""Which container a file is, read from its first bytes: the only way a demuxer is ever chosen.

FFmpeg's own probing also knows playlists, image sequences and capture devices, through which a renamed text file
makes it open other files or the network. Here the demuxer is named by us, from a short list of video containers.
"""

from __future__ import annotations

HEAD_BYTES = 4096
"""How much of a file is looked at."""

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"OggS", "ogg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"DKIF", "ivf"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "mxf"),
    (b"YUV4MPEG2", "yuv4mpegpipe"),
    (b".RMF", "rm"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x00\x00\x01\xb3", "mpegvideo"),
    (b"\x00\x00\x01\xb0", "m4v"),
)

_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"sidx"))

_REFUSALS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a still picture (PNG), not a video"),
    (b"\xff\xd8\xff", "a still picture (JPEG), not a video"),
    (b"#EXTM3U", "a playlist that points to other files; give the files themselves"),
    (b"ffconcat", "a script that points to other files; give the files themselves"),
    (b"<?xml", "an XML text, not a video"),
    (b"\x1f\x8b", "a compressed archive; unpack it, or pack the videos into a plain .tar"),
    (b"PK\x03\x04", "a zip archive; unpack it and give the videos in it"),
)


def container_of(head: bytes) -> str | None:
    r"""Return the name of the demuxer for a file with these first bytes, or None where it is no known video container.

    >>> container_of(b"\x00\x00\x00\x20ftypisom"), container_of(b"#EXTM3U")
    ('mov', None)
    """
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head[4:8] in _BOXES:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        return "avi"
    return _transport_stream(head) or _raw_stream(head)


def refusal(head: bytes) -> str:
    """Return why a file without a known video container is not opened, in words."""
    if not head:
        return "the file is empty (0 bytes)"
    for prefix, words in _REFUSALS:
        if head.startswith(prefix):
            return words
    return "not a video: its first bytes are those of no known video container"


def _transport_stream(head: bytes) -> str | None:
    """Return mpegts where the sync byte repeats every 188 bytes, or 192 after four bytes of time code."""
    for start, step in ((0, 188), (4, 192)):
        places = range(start, min(len(head), start + 5 * step), step)
        if len(places) >= 2 and all(head[place] == 0x47 for place in places):
            return "mpegts"
    return None


def _raw_stream(head: bytes) -> str | None:
    """Return h264 or hevc where the file starts with a start code and a header unit of that codec."""
    start = 4 if head.startswith(b"\x00\x00\x00\x01") else 3 if head.startswith(b"\x00\x00\x01") else 0
    if not start or len(head) < start + 2:
        return None
    first, second = head[start], head[start + 1]
    if second == 1 and (first >> 1) & 0x3F in (32, 33, 34, 35, 39):
        return "hevc"
    return "h264" if first & 0x80 == 0 and first & 0x1F in (6, 7, 9) else None
