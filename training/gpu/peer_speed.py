"""Training and serving speed of transformers + PEFT at Gemma 3 1B shapes with random weights, on one GPU.

Usage: peer_speed.py [--train] [--generate] [--prefill] [--compile] [--seconds N]. Prints one JSON object.
"""
import argparse
import json
import time

import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

LAYERS = 26


def model():
    config = Gemma3TextConfig(
        vocab_size=262144, hidden_size=1152, intermediate_size=6912, num_hidden_layers=LAYERS,
        num_attention_heads=4, num_key_value_heads=1, head_dim=256, query_pre_attn_scalar=256,
        max_position_embeddings=32768, sliding_window=512, rope_theta=1e6, rope_local_base_freq=1e4,
        layer_types=["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(LAYERS)])
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        made = Gemma3ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return made.eval()


def median(values):
    return sorted(values)[len(values) // 2]


def timed(step, warm, repeats, limit):
    started = time.time()
    for _ in range(warm):
        step()
    torch.cuda.synchronize()
    seconds = []
    for _ in range(repeats):
        begun = time.time()
        step()
        torch.cuda.synchronize()
        seconds.append(time.time() - begun)
        if time.time() - started > limit:
            break
    return median(seconds), len(seconds)


def train(base, compiled, limit):
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    peft = get_peft_model(base, LoraConfig(r=16, lora_alpha=16, target_modules=names, lora_dropout=0.0))
    peft.train()
    run = torch.compile(peft) if compiled else peft
    trained = [p for p in peft.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=3e-4, fused=True)
    ids = torch.randint(0, 262144, (8, 1024), device="cuda")
    torch.cuda.reset_peak_memory_stats()

    def step():
        loss = run(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    seconds, n = timed(step, 2, 8, limit)
    return {
        "tokens_per_second": 8192 / seconds, "milliseconds": seconds * 1e3, "steps": n,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30,
    }


@torch.inference_mode()
def generate(base, batch, prompt, new, limit):
    ids = torch.randint(5, 262144, (batch, prompt), device="cuda")

    def step():
        base.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False,
                      max_new_tokens=new, min_new_tokens=new, pad_token_id=0)

    seconds, n = timed(step, 1, 3, limit)
    return {"tokens_per_second": batch * new / seconds, "runs": n}


@torch.inference_mode()
def prefill(base, limit):
    ids = torch.randint(5, 262144, (8, 1024), device="cuda")
    seconds, n = timed(lambda: base(input_ids=ids, use_cache=True, logits_to_keep=1), 2, 8, limit)
    return {"tokens_per_second": 8192 / seconds, "runs": n}


def main():
    parser = argparse.ArgumentParser()
    for name in ("train", "generate", "prefill", "compile"):
        parser.add_argument("--" + name, action="store_true")
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    result = {"device": torch.cuda.get_device_name(), "torch": torch.__version__,
              "transformers": transformers.__version__}
    base = model()
    if options.prefill:
        result["prefill_8x1024"] = prefill(base, options.seconds)
    if options.generate:
        result["generate_1x256_default_cache"] = generate(base, 1, 256, 32, options.seconds)
        result["generate_64x256_default_cache"] = generate(base, 64, 256, 32, options.seconds)
    if options.train:
        result["train_8x1024"] = train(base, False, options.seconds)
    if options.compile:
        result["train_8x1024_compiled"] = train(model(), True, options.seconds * 4)
    print(json.dumps(result, indent=1))


main()
