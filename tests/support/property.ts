/**
 * Properties with one fixed seed, so that a failure is the same on every machine.
 *
 * @module
 */
import process from "node:process";
import * as fc from "fast-check";

/** `ATLAST_TEST_SEED` tries others; fast-check prints the seed with every failure. */
export const SEED = Number(process.env["ATLAST_TEST_SEED"] ?? 20261122);

/** Asserts that a property holds for many values. */
export function holds<Values>(property: fc.IProperty<Values>, numRuns = 300): void {
  fc.assert(property, { seed: SEED, numRuns });
}

/** The same for a property that has to wait. */
export async function holdsAsync<Values>(
  property: fc.IAsyncProperty<Values>,
  numRuns = 300,
): Promise<void> {
  await fc.assert(property, { seed: SEED, numRuns });
}
