"""dnf as a peer: reads one request a line as JSON, says what dnf would do as JSON, and does nothing.

A request has `root` (the folder of a world), `auto` (names that came as dependencies) and `words` (the command line).
The answer has `came` and `went`, lists of packages, or `refused`, a line."""
import json
import os
import sys

sys.dont_write_bytecode = True

import dnf
import dnf.cli
import dnf.cli.cli
import dnf.cli.option_parser
import dnf.exceptions
import hawkey
import libdnf.error
import libdnf.transaction


GONE = dnf.transaction.BACKWARD_ACTIONS


def common(world):
    return ["-c", world + "/main.conf", "--installroot", world + "/root", "--noplugins", "--releasever", "5",
            "--setopt=cachedir=" + world + "/dnf-cache", "--setopt=logdir=" + world,
            "--setopt=reposdir=" + world + "/repos.d", "--setopt=module_platform_id=platform:el8", "--setopt=exclude_from_weak_autodetect=0", "--assumeno", "-q"]


def run(world, words):
    """A dnf that has read its command line and run its command, as far as the resolver."""
    base = dnf.cli.cli.BaseCli(dnf.conf.Conf())
    cli = dnf.cli.cli.Cli(base)
    cli.configure(common(world) + words, dnf.cli.option_parser.OptionParser())
    cli.run()
    return base, cli


def mark(world, names):
    base, cli = run(world, ["--disableexcludes=all", "mark", "remove"] + names)
    base.close()


def name(item):
    epoch = "" if item.epoch == 0 else "%d:" % item.epoch
    return "%s-%s%s-%s.%s" % (item.name, epoch, item.version, item.release, item.arch)


def answer(request):
    base = None
    try:
        if request["auto"]:
            mark(request["root"], request["auto"])
        base, cli = run(request["root"], request["words"])
        if cli.demands.resolving:
            base.resolve(cli.demands.allow_erasing)
        if "check-update" in request["words"]:
            return {"came": sorted(name(package) for package in base._do_package_lists("upgrades").updates), "went": []}
        transaction = base.transaction or ()
        came = [name(item) for item in transaction if item.action in dnf.transaction.FORWARD_ACTIONS]
        went = [name(item) for item in transaction if item.action in GONE]
        return {"came": sorted(came), "went": sorted(went)}
    except (dnf.exceptions.Error, hawkey.Exception, libdnf.error.Error) as error:
        return {"refused": str(error)}
    finally:
        if base is not None:
            base.close()


# What dnf says stays out of the answers.
out, sys.stdout = sys.stdout, open(os.devnull, "w")
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), file=out, flush=True)
