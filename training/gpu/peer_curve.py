"""Trains the adapter that CudaCurve wrote with transformers and PEFT on the same tokens, and compares the loss curves.

Usage: peer_curve.py DIR [STEPS]. Reads DIR/{model,start,tokens.json,losses.json}, prints JSON.
bf16 base and fp32 adapter as ours, and once all in fp32: the difference of the peer's own two curves is the noise.
"""
import json
import sys
import time

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def curve(directory, tokens, rate, dtype):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    base = AutoModelForCausalLM.from_pretrained(directory + "/model", dtype=dtype, attn_implementation="eager")
    model = PeftModel.from_pretrained(base, directory + "/start", is_trainable=True).to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.dtype == torch.float32 for p in trained)
    optimiser = torch.optim.AdamW(trained, lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses = []
    for step in tokens:
        ids = torch.tensor(step, device=device)
        logits = model(input_ids=ids, use_cache=False).logits.float()
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return [float(x) for x in losses]


def compare(a, b):
    difference = [abs(x - y) for x, y in zip(a, b)]
    tail = max(1, len(difference) // 10)
    return {
        "mean": sum(difference) / len(difference),
        "max": max(difference),
        "last_tenth": abs(sum(a[-tail:]) - sum(b[-tail:])) / tail,
    }


def main():
    directory = sys.argv[1]
    tokens = json.load(open(directory + "/tokens.json"))
    ours = json.load(open(directory + "/losses.json"))
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else len(ours["losses"])
    ours_losses = ours["losses"][:steps]
    tokens = tokens[:steps]
    started = time.time()
    peer = curve(directory, tokens, ours["rate"], torch.bfloat16)
    exact = curve(directory, tokens, ours["rate"], torch.float32)
    every = max(1, steps // 10)
    print(json.dumps({
        "steps": steps,
        "backend": ours["backend"],
        "ours_against_peer_bf16": compare(ours_losses, peer),
        "ours_against_peer_fp32": compare(ours_losses, exact),
        "peer_bf16_against_peer_fp32": compare(peer, exact),
        "ours": ours_losses[::every] + [ours_losses[-1]],
        "peer_bf16": peer[::every] + [peer[-1]],
        "peer_fp32": exact[::every] + [exact[-1]],
        "peer_seconds": time.time() - started,
    }, indent=1))


main()
