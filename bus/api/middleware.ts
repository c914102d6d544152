/**
 * Middleware: functions that wrap every publish, or every handler.
 *
 * @module
 */
import { optionError } from "../../core/check_option.ts";
import { isRecord } from "../../core/check_options.ts";
import type { MessageHeaders } from "../../core/message/message.ts";
import { Begun } from "../async/unawaited.ts";
import type { HandlerContext } from "./subscriber.ts";
import type { Receipt } from "./publish_options.ts";

/** A message about to be published. */
export interface Draft {
  /** The id it will have. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** The value that will be its body. */
  readonly body: unknown;
  /** Its headers so far. */
  readonly headers: MessageHeaders;
}

/**
 * Wraps a publish. It may change the draft, refuse it by throwing, or inspect the receipt. In
 * `publishMany` and `prepare`, `next` resolves before the message is stored, so its receipt says no
 * duplicate; `publishMany` stores all messages together once each has passed the middleware.
 */
export type PublishMiddleware = (
  draft: Draft,
  next: (draft: Draft) => Promise<Receipt>,
) => Promise<Receipt>;

/**
 * Wraps a handler. It may work before and after it, or return a reply without calling `next`. It
 * runs in the handler's transaction and within its time limit; an error that it throws fails the
 * attempt. If it does not await `next`, the attempt still waits for `next` and fails with it.
 */
export type ConsumeMiddleware<Tx = unknown> = (
  body: unknown,
  context: HandlerContext<Tx>,
  next: (body: unknown) => Promise<unknown>,
) => Promise<unknown>;

/** Combines publish middleware into one function. */
export function wrapPublish(
  layers: readonly PublishMiddleware[],
  publish: (draft: Draft) => Promise<Receipt>,
): (draft: Draft) => Promise<Receipt> {
  return layers.reduceRight<typeof publish>(
    (next, layer) => async (draft) => {
      const begun = new Begun("next");
      const receipt = await layer(draft, (changed) =>
        begun.start(async () => {
          if (!isRecord(changed)) {
            const want = "an object with id, name, body and headers";
            throw optionError("publish with", "the draft of a middleware", changed, want);
          }
          return await next(changed);
        }));
      await begun.finished();
      if (typeof receipt?.id === "string") return receipt;
      throw new TypeError("Cannot use the result of a middleware of onPublish: want a receipt");
    },
    publish,
  );
}

/** Combines handler middleware into one function. */
export function wrapHandler<Tx>(
  layers: readonly ConsumeMiddleware<Tx>[],
  context: HandlerContext<Tx>,
  handle: (body: unknown) => Promise<unknown>,
): (body: unknown) => Promise<unknown> {
  return layers.reduceRight<typeof handle>(
    (next, layer) => async (body) => {
      const begun = new Begun("next");
      const value = await layer(body, context, (read) => begun.start(() => next(read)));
      await begun.finished();
      return value;
    },
    handle,
  );
}
