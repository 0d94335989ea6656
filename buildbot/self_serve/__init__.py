"""What a Buildbot master needs to be steered by self-serve. Put this folder beside master.cfg, and into it, at its end:

    from self_serve import self_serve
    self_serve(c, events="https://…/self-serve/events", user="events", password=…)

It adds a scheduler, `self-serve`, that starts each piece of a job once, however often it is asked to; reports builds as they
begin and end, where `events` is given; and mends what Buildbot does otherwise than self-serve promises:

- a request's priority can be changed, which Buildbot 4.1 to 4.3 cannot do;
- a request that is cancelled while its build is about to begin ends, which Buildbot leaves open for ever;
- a change that a job told of is taken by each scheduler once, also where the master dies before all of them have;
- what a job asked for is not collapsed into what is asked for later;
- answers are whole and sent at once, which those of Buildbot 4.2 and 4.3 now and then are not.

It runs on Buildbot 4.0 and newer. A newer one than the one that a master runs needs the master to be restarted. Who may use
the scheduler is the master's own `authz` to say; see README.md.
"""

from buildbot.plugins import reporters
from buildbot.reporters.generators.build import BuildStartEndStatusGenerator

from .changes import repair_changes
from .names import NAME
from .repairs import repair_answers, repair_cancelling, repair_collapsing, repair_priority
from .scheduler import SelfServeScheduler


def self_serve(config, builders=None, events=None, user=None, password=None):
    """Adds all of it to `BuildmasterConfig`, for these builders (their names; all of them without it)."""
    repair_priority()
    repair_cancelling()
    repair_changes()
    repair_collapsing()
    repair_answers()
    names = builders or [_name(builder) for builder in config["builders"]]
    config.setdefault("schedulers", []).append(SelfServeScheduler(name=NAME, builderNames=list(names)))
    if events:
        config.setdefault("services", []).append(push(events, user, password))


def _name(builder):
    return builder["name"] if isinstance(builder, dict) else builder.name


def push(url, user=None, password=None):
    """Reports each build as it begins and as it ends, with its properties."""
    formatter = reporters.MessageFormatterFunction(lambda context: context["build"], "json", want_properties=True)
    return reporters.HttpStatusPush(
        serverUrl=url,
        auth=(user, password) if user else None,
        generators=[BuildStartEndStatusGenerator(start_formatter=formatter, end_formatter=formatter)],
    )
