"""The options of a worker program: those of rms-cloud-tasks, and some of ours. cloud-tasks-agent gives them their meaning."""

import argparse

PEER_OPTIONS = [
    ("provider", str),
    ("project-id", str),
    ("task-file", str),
    ("job-id", str),
    ("queue-name", str),
    ("exactly-once-queue", bool),
    ("event-log-file", str),
    ("event-log-to-file", bool),
    ("event-log-to-queue", bool),
    ("keepalive-interval", float),
    ("instance-type", str),
    ("num-cpus", int),
    ("memory", float),
    ("local-ssd", float),
    ("boot-disk", float),
    ("is-spot", bool),
    ("price", float),
    ("num-simultaneous-tasks", int),
    ("max-runtime", float),
    ("max-memory-allowed-per-task", float),
    ("shutdown-grace-period", float),
    ("tasks-to-skip", int),
    ("max-num-tasks", int),
    ("retry-on-exit", bool),
    ("retry-on-exception", bool),
    ("retry-on-timeout", bool),
    ("simulate-spot-termination-after", float),
    ("simulate-spot-termination-delay", float),
]
OUR_OPTIONS = [
    ("region", str),
    ("local-root", str),
    ("visibility-timeout", float),
    ("use-new-process", bool),
    ("max-attempts", int),
    ("max-preemptions", int),
    ("idle-shutdown", float),
    ("max-instance-lifetime", float),
]
ALL_OPTIONS = PEER_OPTIONS + OUR_OPTIONS


def parse_arguments(parser, args):
    """Namespace of everything given; what was not given is None."""
    if parser is None:
        parser = argparse.ArgumentParser(description="Worker for processing tasks from a queue")
    for flag, kind in PEER_OPTIONS:
        _add(parser, flag, kind)
    for flag, kind in OUR_OPTIONS:
        try:
            _add(parser, flag, kind)
        except argparse.ArgumentError:
            pass  # the program has an option of this name itself
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")
    return parser.parse_args(args)


def agent_words(namespace):
    """The same options for cloud-tasks-agent."""
    words = []
    for flag, kind in ALL_OPTIONS:
        value = getattr(namespace, flag.replace("-", "_"), None)
        if value is None:
            continue
        if kind is bool:
            words.append("--%s%s" % ("" if value else "no-", flag))
        else:
            words.extend(["--" + flag, "%g" % value if kind is float else str(value)])
    if namespace.verbose:
        words.append("--verbose")
    return words


def _add(parser, flag, kind):
    help_text = "see docs/agent-settings.md"
    dest = flag.replace("-", "_")
    if kind is not bool:
        parser.add_argument("--" + flag, type=kind, dest=dest, help=help_text)
        return
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--" + flag, dest=dest, action="store_true", default=None, help=help_text)
    group.add_argument("--no-" + flag, dest=dest, action="store_false", default=None, help=argparse.SUPPRESS)
