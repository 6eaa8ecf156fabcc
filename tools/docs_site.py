"""Pages of the documentation site that are made of what lies elsewhere, so that nothing is written twice.

mkdocs calls the functions named ``on_…`` (see mkdocs.yml): CONTRIBUTING, CHANGELOG and SECURITY become pages,
the notebook becomes Markdown, and the commands are told by their own parsers. A page that would have its
reader's browser fetch something stops the build.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PROJECT = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "SECURITY.md": "security.md"}
ROLE = re.compile(r":(?:class|mod|func|meth|data|attr):<code>~?([\w.]+)</code>")
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^\"'> ]+", re.I
)

DOCTEST = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.M)


class Examples(griffe.Extension):
    """Fences the examples in docstrings, which Markdown would take for quotations."""

    def on_object(self, *, obj: griffe.Object, **others: Any) -> None:
        """Change the docstring of one class, function, module or attribute."""
        if obj.docstring:
            obj.docstring.value = DOCTEST.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made here."""
    made = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in PROJECT.items()}
    made["first-steps.md"] = notebook_page((ROOT / "docs" / "first-steps.ipynb").read_text(encoding="utf-8"))
    made["reference/commands.md"] = commands_page()
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links that are right in the repository into links that are right on the site."""
    home = "../" * page.file.src_uri.count("/")
    for name, target in PROJECT.items():
        markdown = re.sub(rf"\]\((?:\.\./)*{re.escape(name)}", f"]({home}{target}", markdown)
    markdown = markdown.replace("](first-steps.ipynb)", "](first-steps.md)")
    if page.file.src_uri in PROJECT.values():
        markdown = markdown.replace("](docs/", "](")
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?!\w+/?\w*[\w-]*\.md)([^)#:]+)\)", r"`\2`", markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Turn the roles of docstrings, such as ``:class:``, into links where the site has what they name."""
    return ROLE.sub(link_to, html)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Stop at a page that would have a reader's browser ask another machine."""
    fetched = [tag for tag in FETCHED.findall(output) if 'rel="canonical"' not in tag]
    if fetched:
        raise PluginError(f"{page.file.src_uri} would fetch {fetched[0]}: keep a copy under docs/")
    return output


def link_to(role: re.Match[str]) -> str:
    """Return a link that is plain code where nothing has that name."""
    shown = role[1].rpartition(".")[2]
    return f'<autoref identifier="{role[1]}" optional><code>{shown}</code></autoref>'


def notebook_page(text: str) -> str:
    """Return the cells of a notebook as Markdown."""
    cells = json.loads(text)["cells"]
    parts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return "\n\n".join(f"```python\n{source}\n```" if kind == "code" else source for kind, source in parts)


def commands_page() -> str:
    """Return every command with its arguments and options, as the parsers know them."""
    import typer.main

    from zerosight.cli.main import app

    lines = [
        "# Commands",
        "",
        "Made of the command line's own parsers; `zerosight COMMAND --help` says the same.",
        "",
    ]
    command_lines(typer.main.get_command(app), "zerosight", lines)
    return "\n".join(lines)


def command_lines(command: Any, name: str, lines: list[str]) -> None:
    """Add what there is to say of a command and of those below it."""
    below = getattr(command, "commands", {})
    if name != "zerosight":
        lines += [f"{'##' if name.count(' ') == 1 else '###'} {name}", "", plain(command.help or ""), ""]
    if not below:
        lines += ["| | meaning | default |", "|---|---|---|"]
        lines += [option_row(option) for option in command.params if not option.hidden]
        lines += [""]
    for child in below.values():
        if not child.hidden:
            command_lines(child, f"{name} {child.name}", lines)


def option_row(option: Any) -> str:
    """Return a row of the table of a command's options."""
    is_option = option.param_type_name == "option"
    names = [*option.opts, *option.secondary_opts] if is_option else [option.name.upper()]
    default = option.default
    shown = (
        "required"
        if option.required
        else ""
        if default in (None, False, ()) or callable(default)
        else f"`{default}`"
    )
    told = plain(getattr(option, "help", None) or "").replace("\n", " ").replace("|", "\\|")
    return f"| {', '.join(f'`{one}`' for one in names)} | {told} | {shown} |"


def plain(text: str) -> str:
    """Return a help text as Markdown: without the marks of a terminal, with examples fenced."""
    text = re.sub(r"\[/?(?:bold|dim|italic|green|red|yellow|cyan|link)[^\]]*\]|[\b\f]", "", text)
    parts: list[str] = []
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        if part.startswith("  "):
            lines = "\n".join(line.strip() for line in part.splitlines())
            if parts and parts[-1].endswith("\n```"):
                parts[-1] = f"{parts[-1][:-4]}\n{lines}\n```"
            else:
                parts.append(f"```\n{lines}\n```")
        else:
            parts.append(part.strip())
    return "\n\n".join(parts)
