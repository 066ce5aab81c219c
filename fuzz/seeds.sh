#!/usr/bin/env bash
# seeds.sh CACHE CORPUS: first inputs of the fuzz targets. Packages are those of the recipe
# repositories, if they were made; the rest is written here.
set -euo pipefail
cache=$1 corpus=$2
mkdir -p "$corpus"/{header,payload,scriptlet,journal,deltas,rpmdb}
mkdir -p "$corpus"/{primary,filelists,updateinfo,comps,modules,repofile,metalink,keys,bundle,history,catalog,lock}
corpus=$(realpath "$corpus")
here=$(realpath "$(dirname "$0")")

{ find "$cache" -name '*.rpm' -size -60k 2>/dev/null || true; } | sort | sed -n 1,60p | while read -r file; do
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

# Documents of a repository, each with everything that its reader looks at.
entry='<rpm:entry name="a" flags="GE" epoch="0" ver="1" rel="2" pre="1"/>'
deps=
for list in provides requires conflicts obsoletes recommends suggests supplements enhances; do
  deps+="<rpm:$list>$entry</rpm:$list>"
done
printf '%s' '<metadata xmlns:rpm="r" packages="1"><package type="rpm"><name>a&amp;b</name><arch>x</arch>' \
  '<version epoch="0" ver="1" rel="2"/><checksum type="sha256" pkgid="YES">00ff</checksum><summary>&#252;</summary>' \
  '<description>d</description><packager>p</packager><url>u</url><time file="1" build="2"/>' \
  '<size package="1" installed="2" archive="3"/><location xml:base="http://h/" href="a%20.rpm"/><format>' \
  '<rpm:license>l</rpm:license><rpm:vendor>v</rpm:vendor><rpm:group>g</rpm:group><rpm:buildhost>b</rpm:buildhost>' \
  '<rpm:sourcerpm>s</rpm:sourcerpm><rpm:header-range start="1" end="2"/>' "$deps" \
  '<file type="dir">/a</file><file>/b</file></format></package></metadata>' > "$corpus/primary/whole"
key='pkgid="00" name="a" arch="b"><version epoch="0" ver="1" rel="1"/>'
printf '%s' "<filelists packages=\"1\"><package $key<file type=\"ghost\">/a&#x41;</file></package></filelists>" > "$corpus/filelists/filelists"
printf '%s' "<otherdata packages=\"1\"><package $key<changelog author=\"x\" date=\"1\">t<![CDATA[<x>]]></changelog></package></otherdata>" \
  > "$corpus/filelists/other"
printf '%s' '<updates><update type="security" status="final" from="f" version="1"><id>X</id><title>t</title><severity>Low</severity>' \
  '<issued date="1"/><updated date="2"/><rights>r</rights><release>e</release><summary>s</summary><description>d</description>' \
  '<solution>o</solution><reboot_suggested>True</reboot_suggested><references><reference type="cve" id="i" title="t" href="h"/>' \
  '</references><pkglist><collection short="c"><name>c</name><package name="a" epoch="1" version="1" release="1" arch="x" src="s">' \
  '<filename>f</filename><restart_suggested/></package></collection></pkglist></update></updates>' > "$corpus/updateinfo/whole"
printf '%s' '<!DOCTYPE comps PUBLIC "a" "b"><comps><group><id>a</id><name>n</name><name xml:lang="de">m</name><default>true</default>' \
  '<uservisible>false</uservisible><display_order>1</display_order><langonly>de</langonly><packagelist>' \
  '<packagereq type="conditional" requires="q">p</packagereq></packagelist></group><environment><id>e</id><grouplist>' \
  '<groupid>a</groupid></grouplist><optionlist><groupid default="true">a</groupid></optionlist></environment><category><id>c</id>' \
  '</category><langpacks><match name="x" install="x-%s"/></langpacks></comps>' > "$corpus/comps/whole"
cat > "$corpus/modules/whole" <<'END'
---
document: modulemd
version: 2
data:
  name: a
  stream: "1"
  dependencies:
    - requires: {b: [x, -y], platform: []}
  artifacts:
    rpms: [a-0:1-1.noarch]
...
---
document: modulemd-defaults
version: 1
data: {module: a, modified: 20200101, stream: "1"}
...
END
printf -- '---\ndocument: modulemd\ndata: &a {name: *a, b: [[[{}]]]}\n' > "$corpus/modules/alias"
cat > "$corpus/repofile/whole" <<'END'
# c
[a]
name = b$releasever ${basearch:-x} ${deep:+y}
  continued
baseurl=http://u:p@h/${x}/$basearch file:///a
metalink=https://h/m
gpgkey=file:///k https://h/k
enabled=1
priority=50
metadata_expire=48h
metadata_max_age=30d
weak_signatures=sha1,expired
gpgkey_fingerprint=0123456789abcdef0123456789abcdef01234567,0123 4567
sslverify=0
timeout=30
minrate=1k
throttle=50%
; d
[a]
END
url='<url protocol="https" preference="1">https://h/repodata/repomd.xml</url>'
hash='<hash type="md5">20b6d77930574ae541108e8e7987ad3f</hash>'
printf '\x00%s' '<metalink><files><file name="repomd.xml"><size>1</size><verification>' > "$corpus/metalink/metalink"
printf '%s' "$hash</verification><resources>$url</resources></file></files></metalink>" >> "$corpus/metalink/metalink"
printf '\x01# c\nhttp://a/\n\nftp://b/${x}\n' > "$corpus/metalink/mirrorlist"
printf '\x02%s' '<repomd><revision>1</revision><tags><distro cpeid="c">d</distro><content>c</content></tags><data type="primary">' \
  > "$corpus/metalink/repomd"
printf '%s' '<checksum type="md5">20b6d77930574ae541108e8e7987ad3f</checksum><open-checksum type="sha256">00</open-checksum>' \
  '<location href="a/b"/><timestamp>1</timestamp><size>1</size><open-size>2</open-size></data></repomd>' >> "$corpus/metalink/repomd"

{ printf '\x00'; cat "$here/key.asc"; } > "$corpus/keys/key"
{ printf '\x00'; sed -n '/^$/,/^=/p' "$here/key.asc" | grep -v '^=' | base64 -d; } > "$corpus/keys/binary"
{ printf '\x01'; cat "$here/signature.asc"; } > "$corpus/keys/signature"
# Edits of what the target makes itself: none, and one.
for target in keys history catalog; do
  printf '\x02' > "$corpus/$target/unchanged"
  printf '\x02\x00\x00\x40\x01' > "$corpus/$target/changed"
done
# A bundle of two files, and a long name.
python3 - "$corpus/bundle" <<'END'
import hashlib, json, struct, sys
sum = hashlib.sha256(b"x").hexdigest()
whole = dict(format=1, repo="base", stamp="20261121T120000Z", made=1, upstream="", revision=None, timestamp=0, selection="",
             made_here=True, first_part=False, packages=0, bytes=1, deltas=[],
             files=[dict(path="repodata/repomd.xml", size=1, digest="sha256:" + sum, package=None)])
files = [dict(path="base/" + name, size=1, sha256=sum, part=1) for name in ("repodata/repomd.xml", "a" * 110)]
head = dict(format=1, site="ship", number=1, previous=None, made=1, expires=None, tool="", parts=1, files=files,
            repos=[dict(whole=whole, part=False, added=[], removed=[])])
def member(kind, name, content):
    return struct.pack(">BBH", kind, len(name), len(content)) + name + content
start = b"\1" + member(0, b"bundle.json", json.dumps(head).encode()) + member(0, b"bundle.json.asc", b"s")
long = member(1, b"L", files[1]["path"].encode()) + member(0, b"long", b"x")
open(sys.argv[1] + "/whole", "wb").write(start + member(0, b"base/repodata/repomd.xml", b"x") + long)
open(sys.argv[1] + "/link", "wb").write(start + member(3, b"base/link", b""))
END
# A lock in each of the three formats, with everything that its reader looks at.
python3 - "$corpus/lock" <<'END'
import json, sys
sum = "sha256:" + "0" * 64
package = dict(name="a", epoch=1, version="1", release="2", arch="x86_64", repo="base", location="a.rpm", url="http://h/a.rpm",
               size=1, checksum=sum, signer="0" * 40, reason="user")
section = dict(repositories=[dict(id="base", baseurl="http://h", repomd=sum, keys=["0" * 40])], packages=[package])
ours = dict(lock=1, words=["a"], releasever="5.0", architectures=dict(x86_64=section))
package = dict(url="http://h/a-1-2.x86_64.rpm", repoid="base", size=1, checksum=sum, name="a", evr="1:1-2", sourcerpm="a-1-2.src.rpm")
konflux = dict(lockfileVersion=1, lockfileVendor="redhat", arches=[dict(arch="x86_64", packages=[package], source=[], module_metadata=[])])
package = dict(name="a", evr="1:1-2", repo_id="base", location="a.rpm", size=1, checksum=sum, srpm="a-1-2.src.rpm")
manifest = dict(document="rpm-package-manifest", version="0.2.2",
                data=dict(repositories=[dict(id="base", baseurl="http://h")], packages=dict(x86_64=[package])))
for name, lock in dict(ours=ours, konflux=konflux, manifest=manifest).items():
    json.dump(lock, open(f"{sys.argv[1]}/{name}", "w"))
END
printf 'lockfileVersion: 1\nlockfileVendor: redhat\narches:\n- arch: x86_64\n  packages:\n  - url: "http://h/a-1-2.x86_64.rpm"\n    repoid: b\n    size: 1\n    checksum: sha256:%064d\n    name: a\n    evr: 1-2\n' 0 \
  > "$corpus/lock/yaml"
