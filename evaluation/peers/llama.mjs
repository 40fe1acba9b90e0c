// llama.cpp through node-llama-cpp, as a peer of `reckoner bench inference --peer llama.cpp`.
// Usage: node llama.mjs WEIGHTS.gguf THREADS. One JSON task a line in, one JSON answer a line out.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { getLlama, LlamaGrammarEvaluationState, LlamaLogLevel } from "node-llama-cpp";

const [weights, threads] = process.argv.slice(2);
const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  maxThreads: Number(threads),
  logLevel: LlamaLogLevel.error,
});
const model = await llama.loadModel({ modelPath: weights });
const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

// The cache of a sliding layer is kept whole, so that a prompt's beginning can be taken up again.
const newContext = (sequences) =>
  model.createContext({
    contextSize: 1280,
    sequences,
    batchSize: 512,
    swaFullCache: true,
    threads: { ideal: Number(threads), min: Number(threads) },
  });

let context;
let sequences = [];

async function open(count) {
  if (sequences.length !== count) {
    await context?.dispose();
    context = await newContext(count);
    sequences = Array.from({ length: count }, () => context.getSequence());
  }
}

async function keep(sequence, tokens) {
  if (sequence.nextTokenIndex > tokens) {
    await sequence.eraseContextTokenRanges([{ start: tokens, end: sequence.nextTokenIndex }]);
  }
  if (sequence.nextTokenIndex !== tokens) {
    throw new Error(`${sequence.nextTokenIndex} tokens are in the cache, ${tokens} were expected`);
  }
}

async function generate(sequence, prompt, count, options = {}) {
  let written = 0;
  for await (const token of sequence.evaluate(prompt, {
    temperature: 0,
    yieldEogToken: true,
    ...options,
  })) {
    written += token === undefined ? 0 : 1;
    if (written === count) {
      break;
    }
  }
  return written;
}

const clock = () => Number(process.hrtime.bigint()) / 1e9;

const tasks = {
  // A prompt and its first token.
  async prefill({ tokens }) {
    await open(1);
    await sequences[0].clearHistory();
    const began = clock();
    await generate(sequences[0], tokens, 1);
    return { seconds: clock() - began };
  },

  // Fills the caches of `batch` sequences, once before the decoding is timed.
  async prepare({ batch, tokens }) {
    await open(batch);
    for (const sequence of sequences) {
      await sequence.clearHistory();
      await sequence.evaluateWithoutGeneratingNewTokens(tokens);
    }
    return {};
  },

  // `steps` tokens for each prepared sequence; the caches are as before afterwards.
  async decode({ context: length, steps }) {
    const began = clock();
    await Promise.all(sequences.map((sequence) => generate(sequence, [5], steps)));
    const seconds = clock() - began;
    for (const sequence of sequences) {
      await keep(sequence, length);
    }
    return { seconds };
  },

  // A prompt whose first `shared` tokens are in the cache, then tokens under a grammar.
  async analysis({ prompt, shared, count, grammar }) {
    await open(1);
    const [sequence] = sequences;
    if (sequence.nextTokenIndex < shared || sequence.reckonerShared !== shared) {
      await sequence.clearHistory();
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(0, shared));
      sequence.reckonerShared = shared;
    }
    await keep(sequence, shared);
    const began = clock();
    const rules = await llama.createGrammar({ grammar });
    const written = await generate(sequence, prompt.slice(shared), count, {
      grammarEvaluationState: new LlamaGrammarEvaluationState({ model, grammar: rules }),
    });
    return { seconds: clock() - began, written };
  },

  async memory() {
    const status = readFileSync("/proc/self/status", "utf8");
    const megabytes = (key) => (1.024 * Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)[1])) / 1e3;
    return { now: megabytes("VmRSS"), most: megabytes("VmHWM") };
  },
};

say({ version: llama.llamaCppRelease?.release ?? "unknown" });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { task, ...rest } = JSON.parse(line);
    say(await tasks[task](rest));
  } catch (error) {
    say({ error: String(error?.message ?? error).split("\n")[0] });
  }
}
process.exit(0);
