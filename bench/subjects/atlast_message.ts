/**
 * The message of measurements that need no subject.
 *
 * @module
 */
import { type Contract, defineMessage, type Schema } from "../../mod.ts";
import type { Body } from "./subject.ts";

const anything: Schema<Body> = {
  "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value: value as Body }) },
};

/** A message whose body is not looked at, as peers do not either. */
export const Measured: Contract<Schema<Body>, undefined> = defineMessage("bench.measured", {
  body: anything,
});
