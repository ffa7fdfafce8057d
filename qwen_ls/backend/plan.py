"""From settings to a target: which address, model and strategy a call will have, or why none can be made.

Pure. `doctor` and `config` explain what this decided; nothing that cannot work gets past it.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.backend import models
from qwen_ls.backend.address import Address, key_refused, may_receive_key, native_address, read_address
from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.fim import choose_fim, no_template
from qwen_ls.backend.forms import COMPLETIONS, Form, SuffixIn
from qwen_ls.backend.models import Model, NativePath, Thinking, find_model, with_users_rows
from qwen_ls.backend.presets import DASHSCOPE, PLAN_KEY, PROVIDERS, Provider, Region, dashscope_host
from qwen_ls.backend.vendors import VENDORS
from qwen_ls.core.templates import QWEN, FimTemplate
from qwen_ls.core.types import Layout, Strategy

if TYPE_CHECKING:
    from qwen_ls.backend.presets import LocalEndpoint
    from qwen_ls.settings import Settings

# The pattern of DashScope's own SDK. It becomes a part of a host name: nothing else may pass.
_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAMES = {Strategy.FIM: "fill-in-the-middle", Strategy.PARTIAL: "partial mode"}


@dataclass(frozen=True, slots=True)
class Target:
    """What calls are made to, decided once per settings."""

    provider: Provider
    model: str
    """The model's id as it is sent."""
    row: Model
    """What is known of the model."""
    strategy: Strategy
    base_url: str
    """Normalised, without a slash at its end; empty while the local engine is not running."""
    host: str
    """The base URL's host, in lower case, without port."""
    region: str = ""
    """DashScope's region; empty elsewhere."""
    workspace: str = ""
    native: NativePath | None = None
    """The service of DashScope's native API that is asked; None in the compatible protocol."""
    named_host: str = ""
    """The host that the user's settings name; a key may go there."""
    form: Form = COMPLETIONS
    """How the strategy is asked here."""
    template: FimTemplate | None = QWEN
    """The tokens of a FIM prompt; None where the server lays it out."""
    session_header: str = ""
    """The header that carries the process's random id; empty: none does."""
    notes: tuple[str, ...] = ()
    """What is worth knowing and does not prevent a call, a sentence each."""

    @property
    def url(self) -> str:
        """Where the strategy's calls go."""
        if self.native is not None:
            return f"{self.base_url}/services/aigc/{self.native}-generation/generation"
        return self.form.url(self.base_url)

    @property
    def layout(self) -> Layout:
        """The order of a FIM prompt's parts."""
        return self.row.layout

    @property
    def stop(self) -> tuple[str, ...]:
        """The model's own stop strings, the most useful first, no more than the provider takes."""
        if self.strategy is not Strategy.FIM or self.template is None:
            return ()
        stop = self.row.stop if self.template is QWEN else self.template.stop
        return stop[: self.provider.stop_max]

    def prompt_tokens(self, settings: Settings) -> int:
        """The whole prompt's budget, in tokens: as set, less where the model cannot or should not read it."""
        room = self.row.context_tokens - min(self.row.max_output_tokens, self.row.context_tokens // 4)
        return min(settings.prompt_tokens, self.row.prompt_cap_tokens or room, room)

    def max_tokens(self, wanted: int) -> int:
        """The longest answer to ask for, in tokens: as wanted, or the model's own limit."""
        return max(1, min(wanted, self.row.max_output_tokens))

    def timeout_ms(self, settings: Settings) -> int:
        """The longest a call may take: as set, or as long as the provider may need."""
        return settings.timeout_ms or self.provider.timeout_ms

    @property
    def sees(self) -> bool:
        """Whether a prompt may show images."""
        return self.row.vision and self.strategy is Strategy.PARTIAL

    def in_partial_mode(self) -> Target | None:
        """The same endpoint and model, asked in partial mode; None where that cannot work."""
        offered = Strategy.PARTIAL in self.row.strategies and Strategy.PARTIAL in self.provider.strategies
        if not offered or self.row.thinking is Thinking.ONLY:
            return None
        chat = self.provider.chat
        return dataclasses.replace(self, strategy=Strategy.PARTIAL, form=chat, template=None)

    @property
    def thinking_off(self) -> bool:
        """Whether the model has to be told not to think."""
        return self.row.thinking is Thinking.HYBRID and self.strategy is Strategy.PARTIAL


def resolve(settings: Settings, *, local: LocalEndpoint | None = None) -> Target:
    """Decide address, model and strategy.

    Args:
        settings: the settings in force.
        local: where the local engine listens, for the provider `local`, once it runs.

    Raises:
        ConfigurationError: no call can work; it names the cause and the setting to change.
    """
    provider = PROVIDERS[settings.provider]
    if provider.name == "local":
        return _local_target(settings, provider, local)
    region = provider.regions.get(settings.region)
    address = _address(settings, provider, region)
    if known := dashscope_host(address.host):
        provider, region = _as_dashscope(provider, is_plan=known.is_plan), known.region
    is_native = settings.protocol == "dashscope" and bool(provider.regions)
    if is_native:
        provider = _as_native(provider, is_plan=bool(known and known.is_plan))
        address = native_address(address)
    model = settings.model or _default_model(provider, region)
    row = find_model(with_users_rows(_rows(provider), settings.models), model)
    _refuse_retired(provider, model, row)
    possible = [s for s in provider.strategies if region is None or s in region.strategies]
    template, form, note = choose_fim(settings, provider, model)
    if form is None:
        possible = [s for s in possible if s is not Strategy.FIM]
        if settings.strategy == "fim" or not possible:
            raise no_template(model)
    strategy = _strategy(settings, provider, region, model, row, possible)
    is_fim = strategy is Strategy.FIM
    return Target(
        provider=provider,
        model=model,
        row=row,
        strategy=strategy,
        base_url=address.url,
        host=address.host,
        region=region.name if region else "",
        workspace=_workspace(settings) if provider.regions else "",
        native=row.native_path if is_native else None,
        # Whoever names a provider names its host.
        named_host=address.host if settings.base_url or provider.base_url else "",
        form=form if is_fim and form else provider.chat,
        template=template if is_fim and form and form.suffix_in is SuffixIn.PROMPT else None,
        session_header=settings.session_header or provider.session_header,
        notes=(*_notes(settings, model, row, region), *([note] if note and not is_fim else [])),
    )


def _rows(provider: Provider) -> tuple[Model, ...]:
    if provider.own_models:
        return VENDORS
    return models.HOSTED if provider.regions else models.OPEN


def check_key(target: Target, key: str) -> None:
    """Refuse a key that is known not to work at the target's host, or may not be sent to it.

    Raises:
        ConfigurationError: a subscription plan's key at an ordinary host, or a host that may not have a key.
    """
    if not may_receive_key(target.base_url.partition(":")[0], target.host, named_host=target.named_host):
        raise key_refused(target.base_url)
    known = dashscope_host(target.host)
    if known and not known.is_plan and key.startswith(PLAN_KEY):
        raise ConfigurationError(
            f"The key is a Coding Plan's or Token Plan's ({PLAN_KEY}…), and {target.host} refuses those",
            remedy="Set baseUrl to the plan's address, for example https://coding.dashscope.aliyuncs.com/v1, "
            "or use an ordinary key.",
            cause="plan key",
        )


def _local_target(settings: Settings, provider: Provider, local: LocalEndpoint | None) -> Target:
    model = local.model if local else provider.default_models[""]
    row = find_model(with_users_rows(models.LOCAL, settings.models), model)
    address = read_address(local.base_url) if local else Address("", "", "")
    strategy = row.strategies[0] if settings.strategy == "auto" else Strategy(settings.strategy)
    form = provider.chat if strategy is Strategy.PARTIAL else provider.fim[0]
    return Target(provider, model, row, strategy, address.url, address.host, form=form)


def _address(settings: Settings, provider: Provider, region: Region | None) -> Address:
    if settings.base_url:
        named = read_address(settings.base_url, default_path=provider.default_path)
        own = read_address(provider.base_url) if provider.base_url else named
        # At the vendor's own host the row knows the path: DeepSeek's FIM is not under its examples' /v1.
        return own if own.host == named.host and not own.is_loopback else named
    if region is not None:
        workspace = _workspace(settings)
        host = f"{workspace}.{region.maas}.maas.aliyuncs.com" if workspace else region.host
        return read_address(f"https://{host}")
    if provider.base_url is None:
        raise ConfigurationError(
            f"The provider {provider.name} needs an address",
            remedy="Set baseUrl to the server's, as in https://host/v1.",
            cause="base url",
        )
    return read_address(provider.base_url)


def _as_dashscope(provider: Provider, *, is_plan: bool) -> Provider:
    """DashScope's rules hold at DashScope's hosts, whatever the settings call the provider."""
    return dataclasses.replace(
        DASHSCOPE,
        name=provider.name,
        key_env=provider.key_env or DASHSCOPE.key_env,
        strategies=(Strategy.PARTIAL,) if is_plan else DASHSCOPE.strategies,
        default_models={"": "qwen3-coder-next"} if is_plan else DASHSCOPE.default_models,
    )


def _as_native(provider: Provider, *, is_plan: bool) -> Provider:
    """The native API has no Completions API and thus no FIM, and the plans' hosts have no native API."""
    if is_plan:
        raise ConfigurationError(
            "The hosts of the Coding Plan and the Token Plan do not have DashScope's native API",
            remedy="Set protocol to openai.",
            cause="protocol",
        )
    return dataclasses.replace(provider, strategies=(Strategy.PARTIAL,))


def _workspace(settings: Settings) -> str:
    if not settings.workspace_id:
        return ""
    workspace = settings.workspace_id.strip()
    if not _WORKSPACE.fullmatch(workspace):
        raise ConfigurationError(
            "The workspaceId is not one of DashScope's",
            remedy="Set workspaceId to an id like llm-xxxx or ws-xxxx, as the console shows it.",
            cause="workspace",
        )
    return workspace


def _default_model(provider: Provider, region: Region | None) -> str:
    defaults = provider.default_models
    model: str = defaults.get(region.name if region else "", "") or defaults.get("", "")
    if not model:
        raise ConfigurationError(
            f"{sentence(provider.title)} has no default model",
            remedy="Set model to the id of one that it serves.",
            cause="no model",
        )
    return model


def _refuse_retired(provider: Provider, model: str, row: Model) -> None:
    if row.retired:
        other = row.successor or "another one"
        raise ConfigurationError(
            f"{sentence(provider.title)} has retired the model {shown(model)} on {row.retired}",
            remedy=f"Set model to {other}, or leave it out for the default.",
            cause="retired model",
        )


def _strategy(
    settings: Settings,
    provider: Provider,
    region: Region | None,
    model: str,
    row: Model,
    possible: list[Strategy],
) -> Strategy:
    thinks = row.thinking is Thinking.ONLY
    if settings.strategy == "auto":
        for strategy in row.strategies:
            if strategy in possible and not (thinks and strategy is Strategy.PARTIAL):
                return strategy
        raise _thinking_refused(model) if thinks else _strategy_refused(model, row.strategies[0], "")
    wanted = Strategy(settings.strategy)
    if wanted not in possible:
        raise _place_refused(settings, provider, region)
    if thinks and wanted is Strategy.PARTIAL:
        raise _thinking_refused(model)
    if wanted not in row.strategies:
        fitting = (
            f" or model to {provider.default_models.get('beijing', '')}" if wanted is Strategy.FIM else ""
        )
        raise _strategy_refused(model, wanted, fitting if provider.regions else "")
    return wanted


def _place_refused(settings: Settings, provider: Provider, region: Region | None) -> ConfigurationError:
    if settings.protocol == "dashscope" and provider.regions:
        return ConfigurationError(
            "DashScope's native API has no fill-in-the-middle",
            remedy="Set strategy to auto or partial, or protocol to openai.",
            cause="strategy",
        )
    if region is not None and Strategy.FIM not in region.strategies:
        return ConfigurationError(
            f"DashScope has fill-in-the-middle in the region beijing only, and the region is {region.name}",
            remedy="Set strategy to auto or partial, or region to beijing with a key of that region.",
            cause="strategy",
        )
    return ConfigurationError(
        f"{sentence(provider.title)} at this address has no fill-in-the-middle",
        remedy="Set strategy to auto or partial.",
        cause="strategy",
    )


def _thinking_refused(model: str) -> ConfigurationError:
    return ConfigurationError(
        f"The model {shown(model)} always thinks before it answers, and partial mode cannot do that",
        remedy="Set model to one that can answer without thinking, or leave it out for the default.",
        cause="strategy",
    )


def _strategy_refused(model: str, strategy: Strategy, fitting: str) -> ConfigurationError:
    return ConfigurationError(
        f"The model {shown(model)} cannot be asked by {_NAMES[strategy]} here",
        remedy=f"Set strategy to auto{fitting}.",
        cause="strategy",
    )


def _notes(settings: Settings, model: str, row: Model, region: Region | None) -> tuple[str, ...]:
    notes = []
    if settings.protocol == "dashscope" and region is None:
        notes.append("protocol is for DashScope only; this server is asked in the compatible protocol.")
    if settings.images and not row.vision:
        notes.append(f"images is on, but {shown(model)} does not see any; qwen3-vl-flash does.")
    if row.leaving:
        successor = f"; its successor is {row.successor}" if row.successor else ""
        notes.append(f"{shown(model)} was announced to end about {row.leaving}{successor}.")
    if region is not None and settings.base_url and region.name != settings.region:
        notes.append(
            f"baseUrl is in the region {region.name}; the setting region ({settings.region}) is not used."
        )
    return tuple(notes)


def sentence(text: str) -> str:
    """A text that begins a sentence; names keep their own case (vLLM)."""
    return "The " + text[4:] if text.startswith("the ") else text


def shown(model: str) -> str:
    """A model's id as messages may show it: one short line."""
    return "".join(c if c.isprintable() else "?" for c in model)[:80]
