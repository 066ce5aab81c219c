#!/usr/bin/python3
"""What the programs of a release are linked of.

linked.py TARGET COMPILER ZLIB DIR

Writes DIR/LINKED.tsv, a line for each crate and C library in the three programs for TARGET with its version, its
licence and the programs, and DIR/licenses/NAME-VERSION/, the texts that came with it. COMPILER is the C compiler of
TARGET, ZLIB the folder that its zlib was unpacked into, or nothing where that is the machine's.
"""
import functools
import glob
import json
import os
import re
import shutil
import subprocess
import sys

TOOLS = ("tdnf", "repo-tools", "mirror-sync")
TEXTS = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.I)

# C libraries that a crate brings: its folder of sources in this crate, the file with the version, what finds it there.
BUNDLED = {
    "libsolv-sys": [("libsolv", "libsolv-sys", "libsolv", "VERSION.cmake", r'_(?:MAJOR|MINOR|PATCH) "(\d+)"', "BSD-3-Clause")],
    "mlua-sys": [("Lua", "lua-src", "lua-5.4*", "lua.h", r'define LUA_VERSION_(?:MAJOR|MINOR|RELEASE)\s+"(\d+)"', "MIT")],
    "liblzma-sys": [("liblzma", "liblzma-sys", "xz", "src/liblzma/api/lzma/version.h", r"define LZMA_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", "0BSD")],
    "libsqlite3-sys": [("SQLite", "libsqlite3-sys", "sqlite3", "sqlite3.h", r'define SQLITE_VERSION +"([\d.]+)"', "public domain")],
    "zstd-sys": [("zstd", "zstd-sys", "zstd", "lib/zstd.h", r"define ZSTD_VERSION_(?:MAJOR|MINOR|RELEASE) +(\d+)", "BSD-3-Clause")],
    # C and assembly of their own, which the crate's own line tells.
    "ring": [],
    "rpm-solv": [],
    "sha2-asm": [],
}
# C libraries of the machine: the archive, the macros with the version, the licence.
SYSTEM = [
    ("zlib", "libz.a", ["ZLIB_VERSION"], "Zlib"),
    ("GNU libc", "libc.a", ["__GLIBC__", "__GLIBC_MINOR__"], "LGPL-2.1-or-later"),
    ("libgcc", "libgcc_eh.a", ["__VERSION__"], "GPL-3.0-or-later WITH GCC-exception-3.1"),
]


def output(*words, given=None):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, input=given).stdout


def linked_crates(target):
    """(name, version) of each crate that is linked in -> the programs that it is in."""
    found = {}
    for tool in TOOLS:
        lines = output(
            "cargo", "tree", "--locked", "--package", tool, "--target", target, "--edges", "normal,no-proc-macro",
            "--prefix", "none", "--no-dedupe", "--format", "{p}",
        ).splitlines()
        for line in set(filter(None, lines)):
            name, version = line.split()[:2]
            found.setdefault((name, version.removeprefix("v")), []).append(tool)
    return found


def compile_c(metadata):
    """Names of the crates whose build scripts need the crate `cc`, directly or not."""
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    nodes = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}

    def below(node, kind):
        return [d["pkg"] for d in nodes[node] if any(k["kind"] == kind for k in d["dep_kinds"])]

    @functools.cache
    def needs_cc(node):
        return names[node] == "cc" or any(map(needs_cc, below(node, None)))

    return {names[node] for node in nodes if any(map(needs_cc, below(node, "build")))}


def keep_texts(source, to):
    """Copies the licences at the top of a folder of sources."""
    for name in sorted(os.listdir(source)):
        path = os.path.join(source, name)
        if TEXTS.match(name) and os.path.isfile(path):
            os.makedirs(to, exist_ok=True)
            shutil.copyfile(path, os.path.join(to, name))


def bundled(crate, sources):
    """Name, version, licence, folder of sources and main header of each C library that a crate brings."""
    for name, home, folder, file, pattern, licence in BUNDLED[crate]:
        (source,) = glob.glob(os.path.join(sources[home], folder))
        with open(os.path.join(source, file), encoding="utf-8") as text:
            version = ".".join(re.findall(pattern, text.read()))
        if not version:
            sys.exit(f"linked.py: no version of {name} in {file}")
        yield name, version, licence, source, os.path.join(source, file)


def system(compiler, zlib):
    """Name, version, licence and copyright file of each C library of the machine."""
    include = [f"-I{zlib}/usr/include"] if zlib else []
    text = output(compiler, *include, "-E", "-dM", "-", given="#include <zlib.h>\n#include <features.h>\n")
    macros = dict(re.findall(r"^#define (\w+) (.*)$", text, re.M))
    for name, archive, version, licence in SYSTEM:
        if name == "zlib" and zlib:
            copyright = f"{zlib}/usr/share/doc/zlib1g-dev/copyright"
        else:
            path = os.path.realpath(output(compiler, f"-print-file-name={archive}").strip())
            copyright = f"/usr/share/doc/{output('dpkg-query', '-S', path).split(':')[0]}/copyright"
        yield name, ".".join(macros[macro].strip('"').split()[0] for macro in version), licence, copyright


def main(target, compiler, zlib, folder):
    metadata = json.loads(output(
        "cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    packages = {(p["name"], p["version"]): p for p in metadata["packages"]}
    sources = {name: os.path.dirname(p["manifest_path"]) for (name, _), p in packages.items()}
    of_c, rows, texts = compile_c(metadata), [], os.path.join(folder, "licenses")
    for (name, version), tools in linked_crates(target).items():
        package = packages[name, version]
        rows.append(("crate", name, version, package["license"], tools))
        if package["source"]:
            keep_texts(os.path.dirname(package["manifest_path"]), os.path.join(texts, f"{name}-{version}"))
        if name in of_c and name not in BUNDLED:
            sys.exit(f"linked.py: {name} compiles C: say in BUNDLED which library")
        for library, its_version, licence, source, header in bundled(name, sources) if name in BUNDLED else ():
            rows.append(("library", library, its_version, licence, tools))
            to = os.path.join(texts, f"{library}-{its_version}")
            keep_texts(source, to)
            if not os.path.isdir(to):
                # Lua and SQLite have it in the header that has the version.
                os.makedirs(to)
                shutil.copyfile(header, os.path.join(to, os.path.basename(header)))
    solver = next(row[4] for row in rows if row[1] == "libsolv-sys")
    for name, version, licence, copyright in system(compiler, zlib):
        rows.append(("library", name, version, licence, solver if name == "zlib" else list(TOOLS)))
        to = os.path.join(texts, f"{name}-{version}".replace(" ", "-"))
        os.makedirs(to)
        shutil.copyfile(copyright, os.path.join(to, "copyright"))
    with open(os.path.join(folder, "LINKED.tsv"), "w", encoding="utf-8") as table:
        print("kind\tname\tversion\tlicence\tprograms", file=table)
        for kind, name, version, licence, tools in sorted(rows):
            print(kind, name, version, licence, ",".join(tools), sep="\t", file=table)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
