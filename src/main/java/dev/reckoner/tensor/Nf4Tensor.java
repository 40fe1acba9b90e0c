package dev.reckoner.tensor;

/**
 * A weight {@code [rows, columns]} in bitsandbytes' NF4 with double quantisation; arithmetic in
 * {@link Nf4}.
 *
 * @param codes two codes a byte over the row-major flattened weight, the even element in the high
 *     nibble
 * @param absmax 8-bit code of each block's scale, one a block of 64 weights
 * @param absmax2 fp32 scale of each 256 blocks
 * @param offset mean of the fp32 scales, added back
 */
public record Nf4Tensor(
    int rows, int columns, byte[] codes, byte[] absmax, float[] absmax2, float offset) {

  /** The fp32 scale of block {@code block}: {@code map[absmax] * absmax2 + offset}. */
  public float scale(int block) {
    return Nf4.SCALE_MAP[absmax[block] & 0xff] * absmax2[block >> 8] + offset;
  }

  /** Code (0..15) of flattened element {@code i}. */
  public int code(long i) {
    byte b = codes[(int) (i >> 1)];
    return (i & 1) == 0 ? (b >> 4) & 15 : b & 15;
  }
}
