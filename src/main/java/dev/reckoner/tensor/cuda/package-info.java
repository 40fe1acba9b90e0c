/**
 * The CUDA backend: {@link dev.reckoner.tensor.Backend} on one NVIDIA GPU through the Foreign
 * Function and Memory API. It binds the driver, the run-time compiler (NVRTC) and cuBLAS; its
 * kernels are the {@code kernels/*.cu} resources, compiled at first use for the device at hand. It
 * knows nothing of models.
 */
package dev.reckoner.tensor.cuda;
