#!/usr/bin/env python3
"""Counts page views, visitors and addresses per day and per page: an independent oracle for `viewtail report --json`.

    count_views.py --site NAME --bots crawler-user-agents.json FILE...

It takes logs in nginx's `combined` format (plain or .gz, in any order) and prints the same JSON object. It was written
from the definitions in the documentation and shares no code with viewtail: a visitor is a pair of address and user
agent, an address is an address, a set is a set. It is slow, keeps everything, and trusts nothing to be well-formed.
"""
import argparse
import collections
import datetime
import gzip
import ipaddress
import json
import re

LINE = re.compile(
    rb'(?P<address>[^ ]+) - (?P<user>[^"]*) \[(?P<time>[^\]"]+)\] "(?P<request>[^"]*)" '
    rb'(?P<status>\d{3}) (?P<size>\d{1,20}) "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"',
    re.DOTALL,
)
TIME = re.compile(rb"(\d\d)/([A-Z][a-z][a-z])/(\d{4}):(\d\d):(\d\d):(\d\d) [+-](\d\d)(\d\d)")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
TOKEN = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
STATIC = set(
    """css js mjs map json wasm gif jpg jpeg png webp avif svg svgz bmp ico cur tif tiff woff woff2 ttf otf eot
    mp3 mp4 m4a m4v ogg oga ogv opus wav flac webm avi mov mpg mpeg flv swf pdf csv txt doc docx xls xlsx ppt pptx epub
    zip gz tgz bz2 xz zst rar 7z tar iso dmg exe msi deb rpm apk class jar webmanifest m3u8 ts""".split()
)
STATIC_PATH = re.compile(rb"/robots\.txt|/favicon\.ico|/sitemap[^/]*\.xml(\.gz)?|/\.well-known/.*", re.DOTALL)
FEED_NAMES = {b"feed", b"rss.xml", b"atom.xml", b"feed.xml", b"index.xml"}
INDEX = ("index.html", "index.htm", "index.php")
KEPT = {"/", "?", "#"}


def unescape(value):
    """Undoes nginx's \\xHH."""
    return re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), value)


def read_day(text):
    match = TIME.fullmatch(text)
    if match is None or match[2].decode() not in MONTHS:
        return None
    day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
    if hour > 23 or minute > 59 or second > 60 or int(match[7]) > 23 or int(match[8]) > 59:
        return None
    try:
        return datetime.date(year, MONTHS.index(match[2].decode()) + 1, day).isoformat()
    except ValueError:
        return None


def read_address(text):
    """The canonical address; None for what is none, as `-` and `unix:` are."""
    try:
        address = ipaddress.ip_address(text.decode("ascii"))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def read_request(request):
    """Method, path and query; None if it is no request."""
    method, space, rest = request.partition(b" ")
    if not space or not TOKEN.fullmatch(method):
        return None
    target, space, protocol = rest.rpartition(b" ")
    if not protocol.startswith(b"HTTP/"):
        target = rest
    target = target.strip(b" ")
    if not target:
        return None
    target = target.partition(b"#")[0]
    path, _, query = target.partition(b"?")
    absolute = SCHEME.match(path)
    if absolute:
        path = path[absolute.end():] or b"/"
    return method, path, query


def page_key(path):
    """The key of a path, by the documented steps: decode once, tidy slashes, dots, session, index and trailing slash."""
    data = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: b"\0" + match[1].upper(), path)
    # Every byte on its own with a mark: decoded from an escape, or as it was.
    units, place = [], 0
    while place < len(data):
        if data[place:place + 1] == b"\0":
            units.append((int(data[place + 1:place + 3], 16), True))
            place += 3
        else:
            units.append((data[place], False))
            place += 1
    # Text where it is UTF-8; what is not stays in percent form.
    text, place = [], 0
    while place < len(units):
        for length in (1, 2, 3, 4):
            piece = units[place:place + length]
            try:
                character = bytes(byte for byte, _ in piece).decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(character) == 1:
                # A percent sign that begins no escape is written as one that does, or it could begin one later.
                keep = character == "%" or (piece[0][1] and character in KEPT) or not is_readable(character)
                text.append(percent(piece) if keep else character)
                place += length
                break
        else:
            text.append(percent(units[place:place + 1]))
            place += 1
    segments = []
    parts = "".join(text).split("/")
    for part in parts:
        part = re.split(";jsessionid=", part, flags=re.IGNORECASE)[0]
        if part == "..":
            segments = segments[:-1]
        elif part not in ("", "."):
            segments.append(part)
    if segments and segments[-1] in INDEX and parts[-1] not in ("", ".", ".."):
        segments.pop()
    return "/" + "/".join(segments)


def percent(units):
    return "".join(f"%{byte:02X}" for byte, _ in units)


def is_readable(character):
    """Neither a control nor one of the characters that change how a text around them looks."""
    code = ord(character)
    return not (code < 0x20 or 0x7F <= code < 0xA0) and code not in BIDI


BIDI = {0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


class Counter:
    def __init__(self, site, bots):
        self.site = site
        with open(bots, encoding="utf-8") as file:
            patterns = [entry["pattern"] for entry in json.load(file)]
        self.bots = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
        self.known_bots = {}
        self.days = collections.defaultdict(collections.Counter)
        self.day_sets = collections.defaultdict(lambda: (set(), set()))
        self.pages = collections.Counter()
        self.page_sets = collections.defaultdict(lambda: (set(), set()))
        self.totals = {"events": 0, "page_views": 0, "malformed": 0, "undated": 0}

    def is_bot(self, agent):
        if agent not in self.known_bots:
            text = agent.decode("utf-8", "replace")
            self.known_bots[agent] = agent in (b"", b"-") or self.bots.search(text) is not None
        return self.known_bots[agent]

    def reason(self, request, status, agent):
        if request is None:
            return "malformed"
        method, path, query = request
        if method != b"GET":
            return "method"
        if 300 <= status < 400 and status != 304:
            return "redirect"
        if status not in (200, 304):
            return "status"
        name = path.rpartition(b"/")[2].lower()
        extension = name.rpartition(b".")[2] if b"." in name else b""
        if extension.decode("latin-1") in STATIC or STATIC_PATH.fullmatch(path):
            return "static"
        if self.is_feed(path, query, extension):
            return "feed"
        return "bot" if self.is_bot(agent) else None

    @staticmethod
    def is_feed(path, query, extension):
        path = path[:-1] if path.endswith(b"/") else path
        name = path.rpartition(b"/")[2].lower()
        by_query = any(pair.startswith(b"feed=") and len(pair) > 5 for pair in query.split(b"&"))
        return name in FEED_NAMES or path.lower() == b"/rss" or extension in (b"rss", b"atom") or by_query

    def count(self, line):
        self.totals["events"] += 1
        match = LINE.fullmatch(line)
        day = match and read_day(match["time"])
        is_address = match and (read_address(match["address"]) or match["address"] in (b"-", b"unix:"))
        if not day or not is_address:
            self.totals["malformed"] += 1
            self.totals["undated"] += 1
            return
        agent = unescape(match["agent"])
        request = read_request(unescape(match["request"]))
        reason = self.reason(request, int(match["status"]), agent)
        self.days[day]["events"] += 1
        if reason is not None:
            self.days[day][reason] += 1
            self.totals["malformed"] += reason == "malformed"
            return
        self.view(day, page_key(request[1]), read_address(match["address"]), agent)

    def view(self, day, page, address, agent):
        self.totals["page_views"] += 1
        self.days[day]["views"] += 1
        self.pages[day, page] += 1
        for visitors, addresses in (self.day_sets[day], self.page_sets[day, page]):
            if address is not None:
                visitors.add((address, agent))
                addresses.add(address)

    def report(self):
        days, pages = [], []
        for day, counts in sorted(self.days.items()):
            visitors, addresses = self.day_sets[day]
            excluded = {name: number for name, number in counts.items() if name not in ("events", "views")}
            days.append({"day": day, "site": self.site, "page_views": counts["views"], "visitors": len(visitors),
                         "addresses": len(addresses), "events": counts["events"], "excluded": excluded})
        for (day, page), views in sorted(self.pages.items(), key=lambda item: (item[0][0], item[0][1].encode())):
            visitors, addresses = self.page_sets[day, page]
            pages.append({"day": day, "site": self.site, "page": page, "page_views": views,
                          "visitors": len(visitors), "addresses": len(addresses)})
        return {"days": days, "pages": pages, "totals": self.totals}


def lines_of(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        for line in file:
            line = line[:-1] if line.endswith(b"\n") else line
            yield line[:-1] if line.endswith(b"\r") else line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", required=True)
    parser.add_argument("--bots", required=True)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    counter = Counter(arguments.site, arguments.bots)
    for path in arguments.files:
        for line in lines_of(path):
            counter.count(line)
    print(json.dumps(counter.report()))


if __name__ == "__main__":
    main()
