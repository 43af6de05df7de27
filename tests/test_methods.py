"""docs/methods.md lists all 87 methods, and names a test wherever there is one."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_method_is_listed_and_every_test_named() -> None:
    rows = re.findall(
        r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$",
        (ROOT / "docs" / "methods.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [int(number) for number, _ in rows] == list(range(1, 88))
    tested = {
        int(re.findall(r"\d+", path.name)[0])
        for path in (ROOT / "tests" / "methods").glob("test_*.py")
    }
    assert tested - {int(number) for number, how in rows if how == "test"} == set()
