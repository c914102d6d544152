/**
 * Middleware: functions that wrap every publish, or every handler.
 *
 * @module
 */
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

/** Wraps a publish: may change the draft it passes on, refuse by throwing, or see what came of it. */
export type PublishMiddleware = (
  draft: Draft,
  next: (draft: Draft) => Promise<Receipt>,
) => Promise<Receipt>;

/**
 * Wraps a handler: may do work before and after, or return a reply without calling `next`. It runs in
 * the handler's transaction and within its time; what it throws fails the attempt. What `next` does is
 * waited for, also by a middleware that does not; then its failure fails the attempt too.
 */
export type ConsumeMiddleware<Tx = unknown> = (
  body: unknown,
  context: HandlerContext<Tx>,
  next: (body: unknown) => Promise<unknown>,
) => Promise<unknown>;

/** The layers around a publish as one function. */
export function wrapPublish(
  layers: readonly PublishMiddleware[],
  publish: (draft: Draft) => Promise<Receipt>,
): (draft: Draft) => Promise<Receipt> {
  return layers.reduceRight<typeof publish>(
    (next, layer) => async (draft) => {
      const begun = new Begun("next");
      const receipt = await layer(draft, (changed) => begun.start(() => next(changed)));
      await begun.finished();
      if (typeof receipt?.id === "string") return receipt;
      throw new TypeError("Cannot use what a middleware of onPublish gave: want a receipt");
    },
    publish,
  );
}

/** The layers around a handler as one function. */
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
