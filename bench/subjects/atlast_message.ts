/**
 * The message that Atlast publishes in every scenario.
 *
 * @module
 */
import { type Contract, defineMessage, type Schema } from "../../mod.ts";
import type { MessageBody } from "./message_body.ts";

/** Accepts every body: the peers do not check theirs. */
const anyBody: Schema<MessageBody> = {
  "~standard": {
    version: 1,
    vendor: "bench",
    validate: (value) => ({ value: value as MessageBody }),
  },
};

/** The contract of the message. */
export const BenchMessage: Contract<Schema<MessageBody>, undefined> = defineMessage(
  "bench.measured",
  { body: anyBody },
);
