#!/usr/bin/env bash
# seeds.sh CACHE CORPUS: first inputs of the fuzz targets. Packages are those of the recipe
# repositories, if they were made; the rest is written here.
set -euo pipefail
cache=$1 corpus=$2
mkdir -p "$corpus"/{header,payload,scriptlet,journal,deltas,rpmdb}
corpus=$(realpath "$corpus")

find "$cache" -name '*.rpm' -size -60k 2>/dev/null | sort | sed -n 1,60p | while read -r file; do
  head -c 32768 "$file" > "$corpus/header/$(basename "$file")"
done

# The files that the payload target's header names, in every compression.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/d/c"
cd "$work"
printf x > d/a
head -c 100 /dev/zero | tr '\0' x > d/b
printf xxxxxxx > d/h
ln d/h d/i
ln -s a d/l
: > d/z
printf './d/%s\n' a b c h i l z | cpio -o -H newc --quiet > plain
number=0
for pack in cat 'gzip -c' 'xz -c' 'xz --format=lzma -c' 'zstd -q -c' 'bzip2 -c'; do
  { printf "\\x0$number"; $pack < plain; } > "$corpus/payload/seed-$number"
  number=$((number + 1))
done

line=dSBhbHBoYSAtICJBbHBoYSB1c2VyIiAvdmFyL3N1IC9iaW4vc2gA
printf '\x00/bin/sh\x00-e' > "$corpus/scriptlet/program"
printf '\x01body\x00/usr/lib\x00foo' > "$corpus/scriptlet/trigger"
printf '\x02%%{?_var:%%{_bindir}/x}' > "$corpus/scriptlet/macro"
printf '\x02a*[!b-c]?\x00abcd' > "$corpus/scriptlet/pattern"
printf '\x03user(alpha)\x00%s' "$line" > "$corpus/scriptlet/account"
printf '\x01\x09\x01\x01\x00\x00\x00\x05\x00\x00\x00\x01\x04\x01\x0a' > "$corpus/journal/records"

sum=$(printf '%064d' 0)
printf '\x00{"format":1,"deltas":[{"from":"sha256:%s","to":"sha256:%s","location":"repodata/deltas/a.delta","size":1,"digest":"sha256:%s"}]}' \
  "$sum" "$sum" "$sum" > "$corpus/deltas/index"
printf '\x01repodata-delta 1\nfrom sha256:%s\nto sha256:%s\nopen-size 1\npacking plain\n\n' "$sum" "$sum" > "$corpus/deltas/head"
printf '\x02\x01\x09\x02\x09\x03\x04<x/>\x01\x09\x00' > "$corpus/deltas/body"
printf '\x03<a>1</a>\n<b>2</b>\n<a>1</a>\n<c>3</c>\n' > "$corpus/deltas/pair"

hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
# Records in the page and off it; what they hold is the business of the target `header`.
head -c 3000 /dev/zero > big
for size in 512 4096; do
  printf 'VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=%s\nHEADER=END\n 00000000\n 02000000\n 01000000\n %s\n 02000000\n %s\nDATA=END\n' \
    "$size" "$(hex d/b)" "$(hex big)" > records
  db5.3_load "bdb-$size" < records
  { printf '\x00'; cat "bdb-$size"; } > "$corpus/rpmdb/bdb-$size"
done
# ndb: a page of slots, the first in use, and a blob of one header.
python3 - "$corpus/rpmdb/ndb" <<'END'
import struct, sys, zlib
blob = b"\0" * 8
size = (16 + len(blob) + 12 + 15) // 16
head = b"RpmP" + struct.pack("<III", 0, 1, 1) + struct.pack("<I", 2) + b"\0" * 12
slots = [b"Slot" + struct.pack("<III", 1, 256, size)] + [b"Slot" + b"\0" * 12] * 253
start = b"BlbS" + struct.pack("<III", 1, 1, len(blob)) + blob
tail = struct.pack("<II", zlib.adler32(start), len(blob)) + b"BlbE"
body = start + b"\0" * (size * 16 - len(start) - len(tail)) + tail
open(sys.argv[1], "wb").write(b"\1" + head + b"".join(slots) + body)
END
