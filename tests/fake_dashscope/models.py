"""What the fake knows of models and regions (notes §1, §2.5, §3.2, §4.5): data that tests may change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Region = Literal["beijing", "singapore", "virginia", "hongkong"]
REGIONS: tuple[Region, ...] = ("beijing", "singapore", "virginia", "hongkong")

Thinking = Literal["never", "off", "on", "on_strict", "only"]
"""``off``/``on``: a hybrid with that default; ``on_strict``: on, refused without a stream (older hybrids)."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the endpoint treats it.  Limits are tokens, rates are per minute."""

    name: str
    fim: bool = False
    multimodal: bool = False
    thinking: Thinking = "never"
    max_input: int = 129_024
    max_output: int = 8_192
    rpm: int = 1_200
    tpm: int = 1_000_000
    cached: bool = False
    beijing_only: bool = False


_SMALL_CODERS = tuple(
    Model(f"qwen2.5-coder-{size}-instruct", fim=True, beijing_only=True, max_input=30_720, tpm=2_000_000)
    for size in ("0.5b", "1.5b", "3b")
)
_CODERS = (
    Model("qwen-coder-turbo", fim=True, beijing_only=True),
    Model("qwen-coder-turbo-latest", fim=True, beijing_only=True),
    Model("qwen-coder-turbo-0919", fim=True, beijing_only=True, rpm=60, tpm=100_000),
    Model("qwen-coder-turbo-2024-09-19", beijing_only=True, rpm=60, tpm=100_000),
    *(Model(f"qwen2.5-coder-{size}-instruct", fim=True, beijing_only=True) for size in ("7b", "14b", "32b")),
    Model("qwen-coder-plus"),
    Model("qwen-coder-plus-latest"),
    Model("qwen-coder-plus-2024-11-06"),
)
_PLUS3 = Model(
    "qwen3-coder-plus", max_input=997_952, max_output=65_536, rpm=5_000, tpm=5_000_000, cached=True
)
_OPEN3 = Model("qwen3-coder-next", max_input=204_800, max_output=65_536, rpm=600)
_CODERS3 = (
    _PLUS3,
    replace(_PLUS3, name="qwen3-coder-flash"),
    replace(_PLUS3, name="qwen3-coder-plus-2025-07-22", rpm=60, tpm=1_000_000, cached=False),
    replace(_PLUS3, name="qwen3-coder-plus-2025-09-23", rpm=60, tpm=1_000_000, cached=False),
    replace(_PLUS3, name="qwen3-coder-flash-2025-07-28", rpm=60, tpm=1_000_000, cached=False),
    _OPEN3,
    replace(_OPEN3, name="qwen3-coder-480b-a35b-instruct"),
    replace(_OPEN3, name="qwen3-coder-30b-a3b-instruct"),
)
_GENERAL = (
    Model("qwen-max"),
    Model("qwen-plus", thinking="off", max_output=32_768, rpm=15_000, cached=True),
    Model("qwen-plus-latest", thinking="off", max_output=32_768, rpm=15_000),
    Model("qwen-flash", thinking="off", max_output=32_768, rpm=30_000, tpm=10_000_000, cached=True),
    Model("qwen-turbo", thinking="off"),
    Model("qwen3-max", max_output=65_536, cached=True),
    Model("qwen2.5-7b-instruct"),
    *(Model(f"qwen3-{size}", thinking="on_strict") for size in ("8b", "14b", "32b", "235b-a22b")),
    *(Model(f"qwen3.{n}-flash", thinking="on", max_output=65_536, rpm=30_000) for n in (5, 6, 7)),
    *(Model(f"qwen3.{n}-plus", thinking="on", multimodal=True, max_output=65_536) for n in (5, 6, 7)),
    Model("qwq-plus", thinking="only"),
    Model("qwen3-235b-a22b-thinking-2507", thinking="only"),
    Model("qwen3-vl-plus", thinking="off", multimodal=True, max_output=32_768),
    Model("qwen3-vl-flash", thinking="off", multimodal=True, max_output=32_768),
    Model("qwen-vl-max", multimodal=True),
    Model("qwen-vl-plus", multimodal=True),
)

MODELS: dict[str, Model] = {model.name: model for model in (*_SMALL_CODERS, *_CODERS, *_CODERS3, *_GENERAL)}
"""All models the fake knows, the retired ones too."""

RETIRED: frozenset[str] = frozenset(
    {*(model.name for model in _SMALL_CODERS), "qwen-max", "qwen-turbo", "qwen-vl-max", "qwen-vl-plus"}
)
"""Answered with 403 ``access_denied`` (notes §2.6)."""


def lookup(models: dict[str, Model], name: str, region: Region) -> Model | None:
    """The model that this region serves under ``name``; American ids may end in ``-us``."""
    model = models.get(name)
    if model is None and region == "virginia":
        model = models.get(name.removesuffix("-us"))
    if model is not None and model.beijing_only and region != "beijing":
        return None
    return model
