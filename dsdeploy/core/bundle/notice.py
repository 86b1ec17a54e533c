"""What binds whoever takes these models: licence, where its text stands, and each duty, for people to read."""

from dsdeploy.core.bundle.values import Bundle, BundleModel
from dsdeploy.core.catalogue import find_model
from dsdeploy.core.errors import UnknownModel
from dsdeploy.core.licences import Binding, bindings
from dsdeploy.core.texts import LANGUAGES, text
from dsdeploy.core.weight_files import is_licence


def notice(bundle: Bundle) -> str:
    """In both languages, one after the other. The same bundle gives the same words."""
    return "\n".join(_in(bundle, language) for language in LANGUAGES)


def _in(bundle: Bundle, language: str) -> str:
    def say(id: str, **values: object) -> str:
        return text(id, **values).render(language)

    lines = [say("notice-title", name=bundle.name, sequence=bundle.sequence, created=bundle.created), ""]
    for model in bundle.models:
        lines.append(f"{model.model_id} {model.format} ({model.source} {model.revision or '-'})")
        for binding in _bindings(model):
            lines.append(f"  {binding.covers}: {binding.licence.name}, {binding.licence.source}")
            lines += [f"    - {duty.render(language)}" for duty in binding.licence.duties]
        lines += ["  " + say("notice-text", path=path) for path in model.files if is_licence(path)]
    return "\n".join(lines) + "\n"


def _bindings(model: BundleModel) -> tuple[Binding, ...]:
    try:
        return bindings(find_model(model.model_id))
    except UnknownModel:
        return ()
