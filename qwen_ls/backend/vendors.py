"""The models of other vendors' own services, as rows of data.

Pure. The first row that matches wins; the last takes any id. Sources: the vendors' pages on FIM, prefix or
partial mode and models (DeepSeek, Mistral, SiliconFlow, Moonshot), read in 2026.
"""

from __future__ import annotations

from qwen_ls.backend.models import Model, Thinking
from qwen_ls.core.types import Strategy

_FIM = Strategy.FIM
_PARTIAL = Strategy.PARTIAL
_BOTH = (_FIM, _PARTIAL)

VENDORS: tuple[Model, ...] = (
    # api-docs.deepseek.com: FIM (at most 4K tokens out) and prefix completion, without thinking only; the old
    # names were announced to end on 2026-07-24.
    Model(
        family=r"deepseek-v4-(?:flash|pro)",
        strategies=_BOTH,
        thinking=Thinking.HYBRID,
        context_tokens=1_000_000,
        max_output_tokens=4096,
        stop=(),
    ),
    Model(
        family=r"deepseek-chat",
        strategies=_BOTH,
        context_tokens=131_072,
        max_output_tokens=4096,
        stop=(),
        leaving="2026-07-24",
        successor="deepseek-v4-flash",
    ),
    Model(family=r"deepseek-reasoner|deepseek-r1.*|kimi-.*thinking.*|qwq.*", thinking=Thinking.ONLY, stop=()),
    # docs.mistral.ai: the FIM endpoint serves Codestral.
    Model(family=r"codestral(?!.*mamba).*", strategies=_BOTH, context_tokens=131_072, stop=()),
    # docs.siliconflow.cn/features/fim: the models that take `suffix`.
    Model(
        family=r"deepseek-(?:v2\.5|v3|coder-v2-instruct)|qwen2\.5-coder-.*-instruct",
        strategies=_BOTH,
        max_output_tokens=4096,
        stop=(),
    ),
    Model(family=r"qwen3-.*instruct.*|qwen2\.5-.*|qwen3-coder.*", stop=()),
    Model(family=r"qwen3.*|kimi-k2\.\d.*", thinking=Thinking.HYBRID, context_tokens=131_072, stop=()),
    # Unknown: chat is the common ground; whoever asks for FIM by name may know more than this table.
    Model(family=r".*", strategies=(_PARTIAL, _FIM), stop=()),
)
