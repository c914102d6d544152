/**
 * Says why a suite is skipped, where it can be seen: `node:test` under Deno drops the reason.
 *
 * @module
 */

/** The value of `skip` for a suite that cannot run here; tools/test.ts repeats the reason at the end. */
export function skipFor(reason: string): string {
  console.log(`skip: ${reason}`);
  return reason;
}
