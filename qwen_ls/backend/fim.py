"""Which way a model is asked to fill in the middle, so that no model is asked with another one's tokens.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.forms import SuffixIn
from qwen_ls.core.templates import QWEN, template_named, template_of

if TYPE_CHECKING:
    from qwen_ls.backend.forms import Form
    from qwen_ls.backend.presets import Provider
    from qwen_ls.core.templates import FimTemplate
    from qwen_ls.settings import Settings

_REMEDY = "Set fimTemplate to the family it belongs to, if it has one."


def choose_fim(
    settings: Settings, provider: Provider, model: str
) -> tuple[FimTemplate | None, Form | None, str]:
    """The template, the way, and what is worth knowing where there is no way.

    Args:
        settings: the settings in force; `fim_template` replaces what the model's name says.
        provider: whom is asked; DashScope's FIM models are all Qwen's.
        model: the model's id.
    """
    if provider.regions:
        template: FimTemplate | None = QWEN
    elif settings.fim_template != "auto":
        template = template_named(settings.fim_template)
    else:
        template = template_of(model)
    for form in provider.fim:
        if form.suffix_in is not SuffixIn.PROMPT or template is not None:
            return template, form, ""
    return None, None, f"{_unknown(model)}, so partial mode is used. {_REMEDY}"


def no_template(model: str) -> ConfigurationError:
    """The refusal to ask a model of unknown family for fill-in-the-middle."""
    return ConfigurationError(_unknown(model), remedy=_REMEDY, cause="template")


def _unknown(model: str) -> str:
    name = "".join(c if c.isprintable() else "?" for c in model)[:80]
    return f"The fill-in-the-middle tokens of the model {name} are not known"
