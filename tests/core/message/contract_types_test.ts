/**
 * The types of contracts. That this file compiles is the test: each `@ts-expect-error` is an error the
 * compiler has to find, and the compiler complains of one that it does not find.
 *
 * @module
 */
import { type } from "arktype";
import { it } from "node:test";
import * as v from "valibot";
import * as z from "zod";
import {
  type BodyInput,
  type BodyOutput,
  type Bus,
  type Contract,
  defineMessage,
  type ReplyInput,
  subscribe,
} from "../../../mod.ts";

const MarkStatus = defineMessage("place.order.mark.status", {
  body: z.object({ orderId: z.number(), isSuccess: z.boolean() }),
});
const DeductQty = defineMessage("place.order.qty.deducted", {
  body: z.object({ orderId: z.number(), qty: z.number().int().positive() }),
  reply: MarkStatus.body,
});
const Dated = defineMessage("order.dated", {
  body: z.object({ at: z.string().transform((text) => new Date(text)) }),
});
const OfValibot = defineMessage("a", { body: v.object({ n: v.number() }), reply: v.string() });
const OfArktype = defineMessage("a", { body: type({ n: "number" }), reply: type("string") });

/** True only for two types that are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

/** Does nothing: calling it makes the compiler check its type argument. */
function isTrue<_T extends true>(): void {}

it("a contract's types are its schemas' own", () => {
  isTrue<Same<BodyInput<typeof DeductQty>, { orderId: number; qty: number }>>();
  isTrue<Same<ReplyInput<typeof DeductQty>, { orderId: number; isSuccess: boolean }>>();
  isTrue<Same<ReplyInput<typeof MarkStatus>, void>>();
  isTrue<Same<BodyInput<typeof Dated>, { at: string }>>();
  isTrue<Same<BodyOutput<typeof Dated>, { at: Date }>>();
  isTrue<Same<BodyInput<typeof OfValibot>, { n: number }>>();
  isTrue<Same<ReplyInput<typeof OfValibot>, string>>();
  isTrue<Same<BodyInput<typeof OfArktype>, { n: number }>>();
  isTrue<Same<ReplyInput<typeof OfArktype>, string>>();
});

/** Compiled and never called. */
export function publishing({ publish }: Bus): void {
  publish(DeductQty, { orderId: 1, qty: 1 });
  publish(DeductQty, { orderId: 1, qty: 1 }, { callback: MarkStatus });
  publish(Dated, { at: "2026-01-01" });

  // @ts-expect-error -- a field is missing
  publish(DeductQty, { orderId: 1 });
  // @ts-expect-error -- a field has another type
  publish(DeductQty, { orderId: 1, qty: "1" });
  // @ts-expect-error -- a field is not in the contract
  publish(DeductQty, { orderId: 1, qty: 1, colour: "red" });
  // @ts-expect-error -- what the schema gives is not what it takes
  publish(Dated, { at: new Date(0) });
  // @ts-expect-error -- the callback takes another body than the reply
  publish(DeductQty, { orderId: 1, qty: 1 }, { callback: DeductQty });
  // @ts-expect-error -- the same of another library
  publish(OfValibot, { n: 1 }, { callback: MarkStatus });
  // @ts-expect-error -- no reply, so there is nothing to call back with
  publish(MarkStatus, { orderId: 1, isSuccess: true }, { callback: MarkStatus });
}

/** Compiled and never called. */
export function subscribing(): void {
  const to = { group: "stock" };
  subscribe(DeductQty, to, ({ orderId }) => ({ orderId, isSuccess: true }));
  subscribe(DeductQty, to, ({ orderId }) => Promise.resolve({ orderId, isSuccess: true }));
  subscribe(MarkStatus, to, () => {});
  subscribe(Dated, to, ({ at }) => void at.getTime());

  // @ts-expect-error -- the reply lacks a field
  subscribe(DeductQty, to, ({ orderId }) => ({ orderId }));
  // @ts-expect-error -- the reply is not given
  subscribe(DeductQty, to, () => {});
  // @ts-expect-error -- the same, later
  subscribe(DeductQty, to, async () => {});
  // @ts-expect-error -- the body has no such field
  subscribe(DeductQty, to, ({ colour }) => ({ orderId: colour, isSuccess: true }));
  // @ts-expect-error -- the contract has no reply
  subscribe(MarkStatus, to, () => ({ orderId: 1 }));
}

/** Compiled and never called: lists and maps of contracts of different bodies. */
export function keeping(): readonly Contract[] {
  return [DeductQty, MarkStatus, Dated, OfValibot, OfArktype];
}

/** Compiled and never called. */
export function defining(): void {
  // @ts-expect-error -- a body schema is needed
  defineMessage("a", {});
  // @ts-expect-error -- what is no Standard Schema is refused
  defineMessage("a", { body: { orderId: "number" } });
  // @ts-expect-error -- a policy of an unknown kind
  defineMessage("a", { body: z.string(), retry: { kind: "hourly", maxAttempts: 1 } });
}
