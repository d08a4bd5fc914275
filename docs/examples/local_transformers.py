"""A model that runs inside Brigade's process: a local checkpoint with Hugging Face transformers.

It needs `pip install transformers torch`, which Brigade itself does not. LOCAL_MODEL is a folder or a name of the hub.
In brigade.toml:

    [[endpoint]]
    name = "local"
    kind = "callable"
    function = "local_transformers:generate"
    models = ["local"]
    limit = 1          # calls at a time; a second one would only wait for the same GPU
"""

import os

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

# Loaded with the module, once: the start of a run and `doctor` wait for it, calls do not.
NAME = os.environ["LOCAL_MODEL"]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOKENIZER = AutoTokenizer.from_pretrained(NAME)
MODEL = AutoModelForCausalLM.from_pretrained(NAME).to(DEVICE).eval()


def generate(messages: list[dict[str, str]], max_tokens: int, temperature: float) -> dict[str, object]:
    """One answer, with the tokens it took."""
    prompt = TOKENIZER.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(DEVICE)
    sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
    with torch.inference_mode():
        output = MODEL.generate(**prompt, max_new_tokens=max_tokens, pad_token_id=TOKENIZER.eos_token_id, **sampling)
    read = prompt["input_ids"].shape[1]
    written = output[0, read:]
    is_cut = len(written) >= max_tokens and written[-1].item() != TOKENIZER.eos_token_id
    return {
        "text": TOKENIZER.decode(written, skip_special_tokens=True),
        "input_tokens": read,
        "output_tokens": len(written),
        "finish": "length" if is_cut else "stop",
    }
