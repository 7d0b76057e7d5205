"""One line of the final table: a claim, what the paper says, what was seen here, and the verdict, which
is computed from the data and says so when the claim fails."""

import dataclasses

HOLDS, FAILS, NONE = "holds", "fails", "none"  # none: nothing to compare with, or not measured


@dataclasses.dataclass
class Claim:
    claim: str
    paper: str  # "" where the paper says nothing
    here: str
    verdict: str
    outcome: str = NONE
    figure: str = ""

    def as_json(self):
        return dataclasses.asdict(self)


def text(value):
    """A figure with the digits that mean something: 14.2, 0.51, 1,234."""
    if value is None:
        return "unknown"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _verdict(ok, good, bad):
    return {"verdict": good if ok else bad, "outcome": HOLDS if ok else FAILS}


def at_least(claim, paper, here, unit, whose="the paper"):
    """More is better: here against what the paper (or the aim, by whose) has."""
    words = (f"above {whose}" if here > paper else f"as {whose}", f"below {whose}")
    return Claim(claim, f"{text(paper)}{unit}", f"{text(here)}{unit}",
                 **_verdict(here >= paper, *words))


def at_most(claim, paper, here, unit, whose="the paper"):
    """Less is better."""
    words = (f"better than {whose}" if here < paper else f"as {whose}", f"worse than {whose}")
    return Claim(claim, f"{text(paper)}{unit}", f"{text(here)}{unit}",
                 **_verdict(here <= paper, *words))


def holds(claim, paper, ok, here, good="holds", bad="does not hold"):
    """A claim in words, which the data bear out or not."""
    return Claim(claim, paper, here, **_verdict(ok, good, bad))


def seen(claim, here, verdict="for the record"):
    """A figure that nobody made a claim about."""
    return Claim(claim, "", here, verdict)


def skipped(claim, reason, paper=""):
    return Claim(claim, paper, "not measured", f"skipped: {reason}")
