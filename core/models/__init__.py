"""Models: clients of OpenAI-compatible servers and of Anthropic, Python functions, the embedded extractive model.

And what there is to know of them: what they serve, whether they answer, what calls cost."""

from core.models.anthropic import AnthropicModel
from core.models.callable import CallableModel
from core.models.discovery import Discovery, WarmUp, discover, serves, warm_up
from core.models.extractive import ExtractiveModel
from core.models.http_model import HttpModel
from core.models.openai import OpenAIModel
from core.models.opening import open_model
from core.models.prices import PRACTICE_PRICES, Prices, rent
from core.models.progress import Deadlines
from core.models.tokens import estimate_tokens
from core.models.transport import HttpTransport

__all__ = [
    "PRACTICE_PRICES",
    "AnthropicModel",
    "CallableModel",
    "Deadlines",
    "Discovery",
    "ExtractiveModel",
    "HttpModel",
    "HttpTransport",
    "OpenAIModel",
    "Prices",
    "WarmUp",
    "discover",
    "estimate_tokens",
    "open_model",
    "rent",
    "serves",
    "warm_up",
]
