"""Hooks of MkDocs: pages at the repository's root are pages of the site, too, and links between both hold."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES_AT_THE_ROOT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def on_files(files: Any, config: Any) -> Any:
    """Add the root's pages. Source: MkDocs, Developer guide, Plugins, `on_files` and `File.generated`."""
    from mkdocs.structure.files import File

    for name in PAGES_AT_THE_ROOT:
        files.append(File.generated(config, name, content=_within_the_site((ROOT / name).read_text())))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A link that leaves `docs` for a page at the root stays within the site."""
    return re.sub(rf"\]\(\.\./({'|'.join(map(re.escape, PAGES_AT_THE_ROOT))})", r"](\1", markdown)


def _within_the_site(markdown: str) -> str:
    return markdown.replace("](docs/", "](")
