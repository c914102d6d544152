/**
 * The order in which Redis sorts members with the same score.
 *
 * @module
 */

const ENCODER = new TextEncoder();

/** Below zero when the UTF-8 of `a` comes before that of `b`. */
export function compareBytes(a: string, b: string): number {
  const [x, y] = [ENCODER.encode(a), ENCODER.encode(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const order = (x[i] ?? 0) - (y[i] ?? 0);
    if (order !== 0) return order;
  }
  return x.length - y.length;
}
