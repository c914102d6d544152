/**
 * The known bugs. The simulation finds each within a stated number of seeds; `known_bugs_test.ts` keeps this true.
 *
 * @module
 */
import { CLAIMING } from "./claiming.ts";
import { HALF_MESSAGES } from "./half_messages.ts";
import { HANDLING } from "./handling.ts";
import type { KnownBug } from "./known_bug.ts";
import { PUBLISHING } from "./publishing.ts";
import { SENDING } from "./sending.ts";

/** Every known bug. */
export const KNOWN_BUGS: readonly KnownBug[] = [
  ...PUBLISHING,
  ...SENDING,
  ...HANDLING,
  ...HALF_MESSAGES,
  ...CLAIMING,
];
