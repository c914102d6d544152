/**
 * Messages whose body is already encoded, such as those that services in other languages publish.
 *
 * @module
 */
import type { Contract } from "../../core/message/contract.ts";
import type { MessageBody } from "../../core/message/message.ts";
import type { PublishOptions } from "./publish_options.ts";

/** A message that is published byte for byte. */
export interface RawMessage
  extends Pick<PublishOptions<unknown>, "id" | "headers" | "contentType"> {
  /** Its name. */
  readonly name: string;
  /** Its body: text for JSON and other text, bytes for everything else. */
  readonly body: MessageBody;
}

/** The options of publishing an encoded message; see {@linkcode PublishOptions}. */
export interface RawOptions<Tx = unknown>
  extends Pick<PublishOptions<Tx>, "tx" | "delayMs" | "deadlineMs" | "retry"> {
  /**
   * The contract that the body must fit; its retry policy applies too.
   *
   * @default any body is allowed
   */
  readonly contract?: Contract;
}
