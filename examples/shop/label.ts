/**
 * Creates the label of a parcel.
 *
 * @module
 */

/** A label is a raw portable bitmap. */
export const LABEL_CONTENT_TYPE = "image/x-portable-bitmap";

const [WIDTH, HEIGHT] = [64, 16];

/** Draws an order's number as bars, one for each bit, two dots wide. */
export function createLabel(orderId: number): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`P4\n${WIDTH} ${HEIGHT}\n`);
  const line = new Uint8Array(WIDTH / 8);
  for (let bit = 0; bit < 32; bit++) {
    if ((orderId >>> (31 - bit)) & 1) line[bit >> 2]! |= 0b11 << (6 - 2 * (bit & 3));
  }
  const label = new Uint8Array(head.length + HEIGHT * line.length);
  label.set(head);
  for (let y = 0; y < HEIGHT; y++) label.set(line, head.length + y * line.length);
  return label;
}
