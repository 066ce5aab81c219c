"""libsolv alone, by its Python binding, with the flags of C tdnf: what programs on it cannot do without.

  libsolv.py write PRIMARY.xml.gz FILE.solv   metadata as libsolv's own cache file
  libsolv.py solve FILE.solv NAME             loads that, wants NAME; prints packages and the solver's CPU seconds
"""

import sys
import time

import solv

FLAGS = [
    solv.Solver.SOLVER_FLAG_BEST_OBEY_POLICY,
    solv.Solver.SOLVER_FLAG_ALLOW_VENDORCHANGE,
    solv.Solver.SOLVER_FLAG_KEEP_ORPHANS,
    solv.Solver.SOLVER_FLAG_YUM_OBSOLETES,
    solv.Solver.SOLVER_FLAG_ALLOW_DOWNGRADE,
    solv.Solver.SOLVER_FLAG_INSTALL_ALSO_UPDATES,
]


def write(pool, primary, path):
    repo = pool.add_repo("big")
    if not repo.add_rpmmd(solv.xfopen(primary), None):
        sys.exit(pool.errstr)
    out = solv.xfopen(path, "w")
    repo.write(out)
    out.close()


def solve(pool, path, name):
    if not pool.add_repo("big").add_solv(path):
        sys.exit(pool.errstr)
    pool.createwhatprovides()
    jobs = pool.select(name, solv.Selection.SELECTION_NAME).jobs(solv.Job.SOLVER_INSTALL)
    if not jobs:
        sys.exit(f"{name}: no such package")
    solver = pool.Solver()
    for flag in FLAGS:
        solver.set_flag(flag, 1)
    before = time.process_time()
    problems = solver.solve(jobs)
    seconds = time.process_time() - before
    if problems:
        sys.exit(str(problems[0]))
    print(len(solver.transaction().newsolvables()), f"packages, {seconds:.3f} s")


def main():
    pool = solv.Pool()
    # Debian builds libsolv for its own packages.
    pool.setdisttype(solv.Pool.DISTTYPE_RPM)
    pool.setarch("x86_64")
    {"write": write, "solve": solve}[sys.argv[1]](pool, *sys.argv[2:])


main()
