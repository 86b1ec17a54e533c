"""Records the options of an engine's release, from that release itself.

    PYTHON-OF-THE-RELEASE scripts/record_flags.py vllm 0.32.0          # asks the release's own parser
    scripts/with-sglang.sh 0.5.23 scripts/record_flags.py sglang 0.5.23
    python scripts/record_flags.py vllm-source 0.23.0 UNPACKED   # reads the Python files as text
    python scripts/record_flags.py llama.cpp b11434 LLAMA-SERVER       # reads its --help

UNPACKED is the folder of an unpacked wheel or source archive from the Python package index. Writes
dsdeploy/core/data/flags/ENGINE-VERSION.json. Text of a wheel gives names, types and literal choices; a parser
gives all. Options that only exist at run time (a list of choices made by code) have null choices.
"""

import argparse
import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "dsdeploy" / "core" / "data" / "flags"
PARSED = {"loads": "json", "parse_dataclass": "json", "human_readable_int": "int", "union_dict_and_str": "json"}
_HELP_COLUMN = 40
PARSER = "the release's own parser"
WHEEL = "the Python files of the published wheel, read as text"
Option = dict[str, Any]


def from_vllm_parser() -> Iterator[Option]:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.reasoning import ReasoningParserManager
    from vllm.tool_parsers import ToolParserManager
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parsers = {"--reasoning-parser": ReasoningParserManager, "--tool-call-parser": ToolParserManager}
    registered = {name: sorted(one.list_registered()) for name, one in parsers.items()}
    return _with_names(from_parser(make_arg_parser(FlexibleArgumentParser())), registered)


def sglang_parser() -> argparse.ArgumentParser:
    """The release's own. Models that it brings may be known to the transformers beside it by now."""
    from transformers import AutoConfig

    register = AutoConfig.register
    AutoConfig.register = lambda *names, **_: register(*names, exist_ok=True)
    from sglang.srt.server_args import ServerArgs

    parser = argparse.ArgumentParser()
    ServerArgs.add_cli_args(parser)
    return parser


def from_parser(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if not action.option_strings:
            continue
        said = getattr(action.type, "__name__", None)
        known = PARSED.get(said, said) if said in (*PARSED, "int", "float", "str") else None
        listed = sorted(action.choices) if isinstance(action.choices, set) else action.choices
        choices = [str(one) for one in listed] if listed else None
        yield option(list(action.option_strings), "bool" if action.nargs == 0 else known, choices)


def from_source(files: list[Path], lists: dict[str, list[str]]) -> Iterator[Option]:
    """`add_argument("--name", …)` anywhere, and the annotated fields of classes whose fields become options."""
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        engine = {
            ast.unparse(one.target): ast.unparse(one.annotation)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and node.name == "EngineArgs"
            for one in node.body
            if isinstance(one, ast.AnnAssign)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                names = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                if names and names[0].startswith("-"):
                    said = {one.arg: one.value for one in node.keywords if one.arg}
                    field = next((engine[one] for one in map(_snake, names) if one in engine), None)
                    typed = field and len(said) < len(node.keywords)
                    yield _typed(names, field, lists) if typed else _added(names, said, lists)
            elif isinstance(node, ast.ClassDef) and "Frontend" in node.name:
                fields = (
                    one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
                )
                yield from (_field(one, lists) for one in fields)


def _added(names: list[str], said: dict[str, ast.expr], lists: dict[str, list[str]]) -> Option:
    action = ast.unparse(said["action"]) if "action" in said else ""
    if re.search("store_?(true|false|const)", action, re.IGNORECASE):
        return option(names, "bool", None)
    if "BooleanOptional" in action:
        return option([*names, *(f"--no-{name[2:]}" for name in names if name.startswith("--"))], "bool", None)
    type_ = ast.unparse(said["type"]) if "type" in said else None
    return option(names, type_ if type_ in ("int", "float", "str") else None, _choices(said.get("choices"), lists))


def _field(node: ast.AnnAssign, lists: dict[str, list[str]]) -> Option:
    names = ["--" + node.target.id.replace("_", "-")]  # type: ignore[union-attr]
    return _typed(names, ast.unparse(node.annotation), lists)


def _typed(names: list[str], text: str, lists: dict[str, list[str]]) -> Option:
    """The option that a field annotated so becomes."""
    bare = re.sub(r"Optional\[(.*)\]|(.*) \| None", lambda m: m[1] or m[2], text)
    literal = re.fullmatch(r"Literal\[(.*)\]", bare)
    listed = ast.literal_eval(f"[{literal[1]}]") if literal else lists.get(bare.rpartition(".")[2])
    choices = [str(one) for one in listed] if listed else None
    if bare == "bool":
        return option([*names, *(f"--no-{name[2:]}" for name in names if name.startswith("--"))], "bool", None)
    return option(names, bare if bare in ("int", "float", "str") else "str" if choices else None, choices)


def _snake(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _choices(node: ast.expr | None, lists: dict[str, list[str]]) -> list[str] | None:
    if node is None:
        return None
    if isinstance(node, ast.Name):
        return lists.get(node.id)
    try:
        return [str(one) for one in ast.literal_eval(node)]
    except ValueError:
        return None


def _with_names(options: Iterator[Option], names: dict[str, list[str]]) -> Iterator[Option]:
    """Choices that a release keeps elsewhere than in the option."""
    for one in options:
        found = names.get(one["names"][0])
        yield one | {"choices": sorted(found)} if found else one


def _open(options: Iterator[Option]) -> Iterator[Option]:
    """vLLM's plugins register more kinds of quantisation, such as "ascend"."""
    for one in options:
        yield one | {"type": None, "choices": None} if one["names"][0] == "--quantization" else one


def vllm_names(release: Path) -> dict[str, list[str]]:
    """Parsers register themselves by name, in a decorator or, in newer releases, in a dictionary beside them."""
    folders = {"--tool-call-parser": "**/tool_parsers/*.py", "--reasoning-parser": "reasoning/*.py"}
    found = {option: _registered([*(release / "vllm").glob(files)]) for option, files in folders.items()}
    return found | {"--tokenizer-mode": literal_lists(release / "vllm" / "config").get("TokenizerMode", [])}


def _registered(files: list[Path]) -> list[str]:
    said = "".join(one.read_text(encoding="utf-8") for one in files)
    names = {
        name for one in re.findall(r"@\w+\.register_module\(([^)]*)\)", said) for name in re.findall(r'"([\w-]+)"', one)
    }
    for file in files:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            value = getattr(node, "value", None)
            if isinstance(value, ast.Dict) and "TO_REGISTER" in ast.unparse(node).partition("=")[0]:
                names |= {one.value for one in value.keys if isinstance(one, ast.Constant)}
    return sorted(names)


def literal_lists(folder: Path) -> dict[str, list[str]]:
    """Module-level lists and Literal types by name."""
    found = {}
    for file in folder.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                literal = isinstance(node.value, ast.Subscript) and ast.unparse(node.value.value) == "Literal"
                value = node.value.slice if literal else node.value  # type: ignore[attr-defined]
                values = _choices(value if isinstance(value, ast.List | ast.Tuple) else None, {})
                if values:
                    found[node.targets[0].id] = values
    return found


def from_help(said: str) -> Iterator[Option]:
    """llama-server's --help: names, and what stands for a value, in 40 columns; its text beside and below them."""
    for block in re.split(r"\n(?=-)", said):
        first, _, below = block.partition("\n")
        if not re.match(r"-{1,2}[a-zA-Z]", first):
            continue
        beside = len(first) > _HELP_COLUMN and first[_HELP_COLUMN - 1] == " "
        head, beginning = (first[:_HELP_COLUMN], first[_HELP_COLUMN:]) if beside else (first, "")
        *names, last = re.split(r",\s+(?=-)", head.strip())
        last, _, value = last.partition(" ")
        listed = re.fullmatch(r"[\[{<]([\w,|-]+)[\]}>]", value)
        told = re.search(r"allowed values: ([\w, -]+?)\s*(?:\(|$)", " ".join(f"{beginning} {below}".split()))
        choices = re.split("[|,]", listed[1]) if listed else told[1].split(", ") if value and told else None
        yield option([*names, last], None if value else "bool", choices)


def option(names: list[str], type_: str | None, choices: list[str] | None) -> Option:
    return {"names": names, "type": type_, "choices": choices}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=("vllm", "vllm-source", "sglang", "llama.cpp"))
    parser.add_argument("version")
    parser.add_argument("release", type=Path, nargs="?")
    asked = parser.parse_args()
    name, release = asked.engine.removesuffix("-source"), asked.release
    if asked.engine == "vllm":
        options, source = from_vllm_parser(), PARSER
    elif asked.engine == "llama.cpp":
        said = subprocess.run([release, "--help"], capture_output=True, text=True, check=True).stdout
        options, source = from_help(said), "llama-server --help"
    elif asked.engine == "sglang":
        options, source = from_parser(sglang_parser()), PARSER
    else:
        files = [release / "vllm/engine/arg_utils.py", *release.glob("vllm/entrypoints/openai/cli_args.py")]
        files += release.glob("vllm/entrypoints/cli/serve.py")
        options = _open(_with_names(from_source(files, literal_lists(release / "vllm")), vllm_names(release)))
        source = WHEEL
    rows = sorted(options, key=lambda one: one["names"])
    OUT.mkdir(exist_ok=True)
    lines = ",\n  ".join(json.dumps(one) for one in rows)
    head = json.dumps({"engine": name, "version": asked.version, "source": source})[:-1]
    (OUT / f"{name}-{asked.version}.json").write_text(f'{head}, "options": [\n  {lines}\n]}}\n', encoding="utf-8")
    print(f"{name} {asked.version}: {len(rows)} options", file=sys.stderr)


if __name__ == "__main__":
    main()
