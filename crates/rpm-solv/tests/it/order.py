"""Recommends of packages as libsolv's own cache file has them: `NAME DEP...` lines in, the same with DEPs in its order out."""

import sys
import tempfile

import solv


def pool():
    made = solv.Pool()
    made.setdisttype(solv.Pool.DISTTYPE_RPM)
    return made, made.add_repo("r")


def dep(pool, text):
    name, _, version = text.partition(">=")
    plain = pool.Dep(name)
    return plain.Rel(solv.REL_GT | solv.REL_EQ, pool.Dep(version)) if version else plain


made, repo = pool()
for line in sys.stdin:
    name, *recommends = line.split()
    package = repo.add_solvable()
    package.name, package.evr, package.arch = name, "1-1", "noarch"
    own = made.Dep(name).Rel(solv.REL_EQ, made.Dep("1-1"))
    package.add_deparray(solv.SOLVABLE_PROVIDES, own)
    for text in recommends:
        package.add_deparray(solv.SOLVABLE_RECOMMENDS, dep(made, text))
with tempfile.NamedTemporaryFile() as file:
    out = solv.xfopen(file.name, "w")
    repo.write(out)
    out.close()
    again, repo = pool()
    repo.add_solv(file.name)
for package in repo.solvables:
    recommends = package.lookup_deparray(solv.SOLVABLE_RECOMMENDS)
    print(package.name, *(str(dep).replace(" ", "") for dep in recommends))
