"""Links of the pages lead somewhere, as GitHub shows them; files that they name exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """Without fenced and indented blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


@pages
def test_every_source_file_that_is_named_exists(page: Path) -> None:
    """A path begins with a room of netsim's, or a folder of the project's."""
    named = re.findall(
        r"`((?:[\w-]+/)+[\w-]+(?:\.py)?|(?:scripts|tests|docs)/[\w./-]+)`", prose(page)
    )
    rooms = {path.name for path in (ROOT / "netsim").iterdir() if path.is_dir()}
    missing = [
        name
        for name in named
        if name.split("/")[0] in rooms | {"scripts", "tests", "docs", "netsim"}
        and not any((base / name).exists() for base in (ROOT, ROOT / "netsim", ROOT / "tests"))
    ]
    assert missing == []


def test_every_page_is_in_the_site() -> None:
    docs = ROOT / "docs"
    nav = set(re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))
    assert nav == {str(page.relative_to(docs)) for page in docs.rglob("*.md")}


def test_every_decision_is_in_the_index_and_says_when() -> None:
    folder = ROOT / "docs" / "decisions"
    rows = re.findall(
        r"^\| (\d{4}-\d\d-\d\d) \| \[(.*)\]\((.*)\) \|$", (folder / "index.md").read_text(), re.M
    )
    pages = sorted(folder.glob("*.md"))
    heads = {
        page.name: page.read_text().split("\n", 3) for page in pages if page.name != "index.md"
    }
    assert {name: [f"# {title}", "", date] for date, title, name in rows} == {
        name: head[:3] for name, head in heads.items()
    }
