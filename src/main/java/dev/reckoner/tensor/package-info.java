/**
 * Memory and kernels: safetensors, NF4, and the compute backends. It knows nothing of models,
 * tokens or files other than safetensors.
 */
package dev.reckoner.tensor;
