"""What Python's expat makes of repository documents: one line per file given.

`ROOT COUNT SHA256`, the hash over every field of every record as tests/it/dump in real.rs writes
them, or `bad` for what is no such document.
"""

import bz2
import gzip
import hashlib
import lzma
import subprocess
import sys
import xml.etree.ElementTree as ET

OPEN = {"gz": gzip.open, "xz": lzma.open, "bz2": bz2.open}
DEPS = ["provides", "requires", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances"]
TEXTS = ["name", "arch", "checksum", "summary", "description", "packager", "url"]
FORMAT = ["license", "vendor", "group", "buildhost", "sourcerpm"]
BASE = "{http://www.w3.org/XML/1998/namespace}base"


def content(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    with OPEN.get(path.rsplit(".", 1)[-1], open)(path, "rb") as file:
        return file.read()


def local(tag):
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def child(element, name):
    found = [c for c in element if local(c.tag) == name] if element is not None else []
    return found[-1] if found else None


def text(element, name):
    found = child(element, name)
    return (found.text or "") if found is not None else ""


def number(element, name, key):
    found = child(element, name)
    return str(int(found.get(key) or 0)) if found is not None else "0"


def attribute(element, name, key):
    found = child(element, name)
    return (found.get(key) or "") if found is not None else ""


def file_type(entry):
    return entry.get("type") if entry.get("type") in ("dir", "ghost") else "file"


def primary(p):
    form = child(p, "format")
    yield from (text(p, name) for name in TEXTS)
    yield from (text(form, name) for name in FORMAT)
    yield attribute(p, "checksum", "type")
    yield from (number(p, "version", "epoch"), attribute(p, "version", "ver"), attribute(p, "version", "rel"))
    yield from (number(p, "time", "file"), number(p, "time", "build"))
    yield from (number(p, "size", key) for key in ("package", "installed", "archive"))
    yield from (number(form, "header-range", key) for key in ("start", "end"))
    yield attribute(p, "location", "href")
    yield attribute(p, "location", BASE)
    for kind in DEPS:
        for entry in child(form, kind) if child(form, kind) is not None else []:
            if local(entry.tag) == "entry":
                yield kind
                yield from ((entry.get(key) or "") for key in ("name", "flags", "epoch", "ver", "rel"))
                yield "1" if entry.get("pre", "0") != "0" else "0"
    for part in (form if form is not None else [], p):
        for entry in part:
            if local(entry.tag) == "file":
                yield from (file_type(entry), entry.text or "")


def key(p):
    yield from (p.get("pkgid") or "", p.get("name") or "", p.get("arch") or "")
    yield from (number(p, "version", "epoch"), attribute(p, "version", "ver"), attribute(p, "version", "rel"))


def filelists(p):
    yield from key(p)
    for entry in p:
        if local(entry.tag) == "file":
            yield from (file_type(entry), entry.text or "")


def other(p):
    yield from key(p)
    for entry in p:
        if local(entry.tag) == "changelog":
            yield from (entry.get("author") or "", str(int(entry.get("date") or 0)), entry.text or "")


def updateinfo(u):
    yield from (u.get("type") or "", text(u, "id").strip(), text(u, "title").strip(), text(u, "severity").strip())
    yield text(u, "description").strip()
    yield from (attribute(u, "issued", "date"), attribute(u, "updated", "date"))
    for reference in child(u, "references") if child(u, "references") is not None else []:
        yield from ((reference.get(k) or "") for k in ("type", "id", "title", "href"))
    for packages in (c for c in u if local(c.tag) == "pkglist"):
        for package in (p for c in packages for p in c if local(p.tag) == "package" and p.get("name")):
            yield from ((package.get(k) or "") for k in ("name", "version", "release", "arch", "src"))
            yield text(package, "filename").strip()


def group(g):
    yield from (local(g.tag), text(g, "id").strip())
    for entry in child(g, "packagelist") if child(g, "packagelist") is not None else []:
        kind = entry.get("type")
        yield from ((entry.text or "").strip(), kind if kind in ("default", "optional", "conditional") else "mandatory")


def data(d):
    yield d.get("type") or ""
    yield attribute(d, "location", "href")
    yield from (text(d, name).strip() for name in ("checksum", "open-checksum", "size", "open-size"))
    yield text(d, "timestamp").strip().split(".")[0]


KINDS = {
    "metadata": ({"package"}, primary),
    "filelists": ({"package"}, filelists),
    "otherdata": ({"package"}, other),
    "updates": ({"update"}, updateinfo),
    "comps": ({"group", "environment", "category"}, group),
    "repomd": ({"data"}, data),
}


def judge(path):
    try:
        root = ET.fromstring(content(path))
        names, fields = KINDS[local(root.tag)]
        digest = hashlib.sha256()
        records = [r for r in root if local(r.tag) in names]
        if local(root.tag) == "comps":
            order = ["group", "environment", "category"]
            records.sort(key=lambda r: order.index(local(r.tag)))
        for record in records:
            for field in fields(record):
                digest.update(field.encode() + b"\0")
        return f"{local(root.tag)} {len(records)} {digest.hexdigest()}"
    except Exception as error:
        return f"bad {type(error).__name__}"


for argument in sys.argv[1:]:
    print(judge(argument))
