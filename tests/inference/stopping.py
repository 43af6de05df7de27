"""Runs that are broken off at a report."""


class Stop(Exception):
    """What breaks a run off."""


def stop_at(step):
    """A report that breaks a run off at a step."""

    def report(row):
        if row["step"] == step:
            raise Stop

    return report
