/**
 * The contracts of the tests of the kit.
 *
 * @module
 */
import * as z from "zod";
import { type Contract, defineMessage } from "../../../mod.ts";

/** An order was placed. */
export const OrderPlaced = defineMessage("order.placed", {
  body: z.object({ orderId: z.number(), note: z.string().optional() }),
});

/** The answer to {@linkcode Deduct}. */
export const Deducted = defineMessage("stock.deducted", {
  body: z.object({ isDone: z.boolean() }),
});

/** A message with a reply. */
export const Deduct = defineMessage("stock.deduct", {
  body: z.object({ qty: z.number() }),
  reply: Deducted.body,
});

/** A message whose body a subscriber gets in another form. */
export const Dated: Contract<z.ZodType<Date, string>, undefined> = defineMessage("dated", {
  body: z.string().transform((text) => new Date(text)) as unknown as z.ZodType<Date, string>,
});

/** The error of a promise that rejects. */
export async function errorOf(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new TypeError("It rejected with no error", { cause: error });
  }
  throw new Error("It did not reject");
}
