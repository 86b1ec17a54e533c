"""Every named error with its exit code, what it says and what it advises, read from where the program raises it."""

import ast
from pathlib import Path

from dsdeploy.core import errors
from dsdeploy.core.texts import catalogue
from scripts.reference.page import code, table

_SOURCES = Path(errors.__file__).parents[2]
EXIT_CODES = {
    "en": {
        0: "done", 1: "a bug in dsdeploy", 2: "wrong usage", 3: "the checks ran and their verdict is fail",
        4: "the verdict is warn, with --strict", 10: "profile: the machine or file cannot be read",
        11: "plan: nothing fits, or a plan does not hold", 12: "fetch: network, access, digest",
        13: "bundle: incomplete, altered or not signed by a trusted key", 14: "render: values or template invalid",
        15: "install: target refused, unreachable or timed out", 130: "interrupted",
    },
    "zh": {
        0: "完成", 1: "dsdeploy 自身的缺陷", 2: "用法错误", 3: "检查已执行，结论为失败", 4: "使用 --strict 时结论为警告",
        10: "硬件识别：机器或文件无法读取", 11: "规划：没有放得下的方案，或方案不再成立", 12: "获取：网络、权限或摘要",
        13: "离线包：不完整、被改动，或没有受信任密钥的签名", 14: "渲染：取值或模板无效", 15: "安装：目标拒绝、不可达或超时",
        130: "已中断",
    },
}  # fmt: skip
_WORDS = {
    "en": ("Exit codes and errors", "Exit code", "Meaning", "Errors", "Message", "What to try",
           "An error is printed on stderr as `Name: message`, then one thing to try; with `--json` it is an entry of "
           "`errors` on stdout. Words in braces are filled in. A named error shows no stack trace; `--debug` shows one."),
    "zh": ("退出码与错误", "退出码", "含义", "错误", "消息", "建议",
           "错误以“名称: 消息”的形式打印到标准错误，随后是一条建议；使用 `--json` 时则是标准输出中 `errors` 的一项。"
           "花括号中的词会被实际内容替换。已命名的错误不显示堆栈；`--debug` 会显示。"),
}  # fmt: skip


def kinds() -> dict[str, type[errors.DsdeployError]]:
    found = {name: one for name, one in vars(errors).items() if isinstance(one, type)}
    return {name: one for name, one in found.items() if issubclass(one, errors.DsdeployError)}


def said() -> dict[str, list[tuple[str, str | None]]]:
    """Error class → the ids of each message and hint that the program makes it with."""
    found: dict[str, list[tuple[str, str | None]]] = {name: [] for name in kinds()}
    for path in sorted(_SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in found:
                message = _id(node.args[0]) if node.args else None
                hint = next((_id(one.value) for one in node.keywords if one.arg == "hint"), None)
                if message and (message, hint) not in found[node.func.id]:
                    found[node.func.id].append((message, hint))
    return found


def _id(node: ast.expr) -> str | None:
    """The id of `text("id", …)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "text" and node.args:
        first = node.args[0]
        return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    return None


def page(language: str) -> str:
    title, exit_code, meaning, second, message, hint, about = _WORDS[language]
    parts = [f"# {title}\n", table((exit_code, meaning), EXIT_CODES[language].items()), f"## {second}\n", about + "\n"]
    words = catalogue()
    for name, pairs in sorted(said().items()):
        parts.append(f"### {name}\n")
        parts.append(f"{exit_code}: {code(kinds()[name].exit_code)}\n")
        if pairs:
            shown = ((words[one][language], words[two][language] if two else "") for one, two in pairs)
            parts.append(table((message, hint), shown))
    return "\n".join(parts)
