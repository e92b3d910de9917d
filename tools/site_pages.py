"""mkdocs hook: documents of the repository that are pages too, sections of the README, and links between all of them."""

import pathlib
import posixpath
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "OPERATORS.md": "operators.md",
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "core/write/FORMAT.md": "format.md",
    "sdk/ABI.md": "abi.md",
}
"""By path in the repository."""


def on_files(files, config):
    for path, name in PAGES.items():
        if name not in files.src_uris:
            files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown, page, **_):
    name = page.file.src_uri
    source = next((path for path, known in PAGES.items() if known == name != "index.md"), None)
    if source:
        return _linked(markdown, posixpath.dirname(source))
    markdown = _linked(markdown, posixpath.join("docs", posixpath.dirname(name)))
    return re.sub(r"<!-- README: (.*) -->", lambda m: _linked(section(m[1]), ""), markdown)


def section(heading):
    """Of the README, without its heading."""
    (text,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", (ROOT / "README.md").read_text(), re.S | re.M)
    return text


def _linked(markdown, folder):
    """A link to a document leads to its page; what has no page is named only."""

    def link(match):
        text, target, anchor = match.groups()
        path = posixpath.normpath(posixpath.join(folder, target))
        if path.startswith("docs/"):
            return f"[{text}]({path.removeprefix('docs/')}{anchor})"
        return f"[{text}]({PAGES[path]}{anchor})" if path in PAGES else text

    return re.sub(r"\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)".replace("(#[^)]*)?", "((?:#[^)]*)?)"), link, markdown)
