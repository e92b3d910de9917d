"""docs/authors-modules.md runs as it stands, and shows what it prints."""
import contextlib
import io
import pathlib
import re

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "authors-modules.md"


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE.read_text(), re.S | re.M)
    shown, names = io.StringIO(), {}
    with contextlib.redirect_stdout(shown):
        for language, text in blocks:
            if language == "python":
                exec(compile(text, str(GUIDE), "exec"), names)
    printed = [text for language, text in blocks if not language]
    assert printed and all(text.strip() in shown.getvalue() for text in printed)
