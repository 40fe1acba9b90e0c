"""Golden vectors for Gemma 3 and LoRA from transformers and PEFT.

Made with: torch 2.13.0, transformers 5.18.0, peft 0.21.0, Python 3.11, on a CPU, without a network.
Not part of the product: the tests read the files that this wrote.

    python src/test/golden/make_golden.py make src/test/resources/golden
        writes checkpoint/ (config.json, model.safetensors), peft/ (an adapter as PEFT saves it)
        and expected.safetensors
    python src/test/golden/make_golden.py check src/test/resources/golden
        loads the adapter that Java wrote to DIR/reckoner with PEFT and compares its logits with
        those that Java stored beside it; exits with 1 where they differ

The Java side is dev.reckoner.gemma.PeftGoldenTest; its main writes DIR/reckoner.

expected.safetensors, all on the checkpoint:
    tokens.{0,1}                 two sequences, the first much longer than the window
    prompt                       tokens of each sequence that carry no loss
    base.logits.{0,1}            without an adapter
    base.loss, base.gradient.*   mean loss over the targets of both, and of every parameter
    peft.*                       the same with the PEFT adapter; gradients of its matrices
    dpo.*                        DPO on the PEFT adapter, sequence 2 chosen and 3 rejected over a
                                 common prompt, the base as reference: log-probabilities, loss with
                                 label smoothing and RPO's term, gradients
nf4.safetensors is written only where bitsandbytes can be imported, which was not so: Nf4Test compares
with a second implementation of its definition instead.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BETA, SMOOTHING, NLL_WEIGHT = 0.3, 0.1, 0.5


def config():
    # sqrt(hidden_size) is exact in bfloat16, since transformers rounds the embedding's scale to the
    # type of the weights and Gemma was trained with bfloat16.
    return Gemma3TextConfig(
        vocab_size=67,
        hidden_size=36,
        intermediate_size=44,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=12,
        query_pre_attn_scalar=10,
        max_position_embeddings=64,
        sliding_window=5,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        },
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )


def load(directory):
    model = Gemma3ForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    )
    return model.eval()


def randomise(named, scale):
    for name, parameter in sorted(named):
        with torch.no_grad():
            parameter.copy_(torch.randn(parameter.shape) * scale(name))


def mean_loss(model, sequences, prompt):
    """Mean loss over the targets of all sequences, as one packed batch has it."""
    total, count = 0.0, 0
    for tokens in sequences:
        labels = tokens.clone()
        labels[:prompt] = -100
        n = len(tokens) - prompt
        total = total + model(input_ids=tokens[None], labels=labels[None]).loss * n
        count += n
    return total / count


def log_probability(model, tokens, prompt):
    logits = model(input_ids=tokens[None]).logits[0, prompt - 1 : -1]
    return logits.log_softmax(-1).gather(1, tokens[prompt:, None]).sum()


def logits(model, tokens):
    with torch.no_grad():
        return model(input_ids=tokens[None]).logits[0]


def record(out, prefix, model, sequences, prompt, names):
    for i, tokens in enumerate(sequences):
        out[f"{prefix}.logits.{i}"] = logits(model, tokens)
    model.zero_grad()
    loss = mean_loss(model, sequences, prompt)
    loss.backward()
    out[f"{prefix}.loss"] = loss.detach()[None]
    for name, parameter in model.named_parameters():
        if names(name):
            out[f"{prefix}.gradient.{key(name)}"] = parameter.grad.clone()


def key(name):
    return name.replace(".default", "")


def preferences(out, model, names, prompt):
    shared = out["tokens.0"][:prompt]
    chosen = torch.cat([shared, torch.randint(3, 67, (9,))])
    rejected = torch.cat([shared, torch.randint(3, 67, (6,))])
    with torch.no_grad(), model.disable_adapter():
        reference = [log_probability(model, t, prompt) for t in (chosen, rejected)]
    model.zero_grad()
    policy = [log_probability(model, t, prompt) for t in (chosen, rejected)]
    margin = BETA * ((policy[0] - reference[0]) - (policy[1] - reference[1]))
    log_sigmoid = torch.nn.functional.logsigmoid
    loss = -(1 - SMOOTHING) * log_sigmoid(margin) - SMOOTHING * log_sigmoid(-margin)
    loss = loss - NLL_WEIGHT * policy[0] / (len(chosen) - prompt)
    loss.backward()
    out["tokens.2"], out["tokens.3"] = chosen, rejected
    out["dpo.reference"] = torch.stack(reference)
    out["dpo.policy"] = torch.stack(policy).detach()
    out["dpo.settings"] = torch.tensor([BETA, SMOOTHING, NLL_WEIGHT])
    out["dpo.loss"] = loss.detach()[None]
    for name, parameter in model.named_parameters():
        if names(name):
            out[f"dpo.gradient.{key(name)}"] = parameter.grad.clone()


def nf4(path):
    """A weight and its NF4 form with double quantisation, where bitsandbytes can be imported."""
    try:
        from bitsandbytes import __version__
        from bitsandbytes.functional import quantize_4bit
    except ImportError:
        return "no bitsandbytes here, so no NF4 vectors"
    weight = torch.randn(24, 128) * torch.linspace(0.01, 0.3, 24)[:, None]
    codes, state = quantize_4bit(weight, blocksize=64, compress_statistics=True, quant_type="nf4")
    parts = {
        "weight": weight,
        "codes": codes.flatten(),
        "absmax": state.absmax,
        "nested_absmax": state.state2.absmax,
        "offset": state.offset.reshape(1),
        "quant_map": state.code,
        "nested_quant_map": state.state2.code,
    }
    save_file(parts, path)
    return f"bitsandbytes {__version__}"


def make(directory):
    torch.manual_seed(20261124)
    model = Gemma3ForCausalLM(config())
    randomise(
        model.named_parameters(),
        lambda name: 0.3 if "norm" in name else 0.4 if "embed" in name else 0.15,
    )
    model.save_pretrained(directory / "checkpoint")
    for extra in (directory / "checkpoint").glob("generation_config.json"):
        extra.unlink()
    prompt = 4
    sequences = [torch.randint(3, 67, (n,)) for n in (23, 7)]
    out = {f"tokens.{i}": t for i, t in enumerate(sequences)}
    out["prompt"] = torch.tensor([prompt])
    model = load(directory / "checkpoint")
    record(out, "base", model, sequences, prompt, lambda name: True)
    lora = LoraConfig(
        r=3,
        lora_alpha=5,
        lora_dropout=0.05,
        target_modules=TARGETS,
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(load(directory / "checkpoint"), lora).eval()
    adapters = [(n, p) for n, p in adapted.named_parameters() if "lora_" in n]
    randomise(adapters, lambda name: 0.2)
    is_lora = lambda name: "lora_" in name
    record(out, "peft", adapted, sequences, prompt, is_lora)
    preferences(out, adapted, is_lora, prompt)
    adapted.peft_config["default"].base_model_name_or_path = "checkpoint"
    adapted.save_pretrained(directory / "peft")
    (directory / "peft" / "README.md").unlink(missing_ok=True)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    floats = {name: tensor.float().contiguous() for name, tensor in out.items()}
    save_file(floats, directory / "expected.safetensors", metadata=versions)
    print(json.dumps({**versions, "nf4": nf4(directory / "nf4.safetensors")}))


def check(directory):
    """Whether PEFT makes of the adapter that Java wrote what Java makes of it."""
    adapted = PeftModel.from_pretrained(load(directory / "checkpoint"), directory / "reckoner")
    stored = load_file(directory / "reckoner" / "logits.safetensors")
    base = load(directory / "checkpoint")
    worst = 0.0
    for i in (0, 1):
        tokens = load_file(directory / "expected.safetensors")[f"tokens.{i}"].long()
        theirs = logits(adapted.eval(), tokens)
        changed = (theirs - logits(base, tokens)).norm() / theirs.norm()
        assert changed > 0.1, f"the adapter changes nothing: {changed}"
        worst = max(worst, float((stored[f"logits.{i}"] - theirs).norm() / theirs.norm()))
    print(f"relative error of the logits: {worst:.2e}")
    sys.exit(0 if worst < 1e-4 else 1)


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
