/**
 * The payment service: takes payments in a database where the order service's messages are not, by half
 * messages that the order service keeps. It has no bus.
 *
 * @module
 */
import { createClient } from "@atlast/bus/client";
import { createCheckBackApp } from "@atlast/bus/edge";
import { verifySignature } from "@atlast/bus/http";
import { postgresFence } from "@atlast/bus/postgres";
import { Hono } from "hono";
import { OrderPaid } from "./contracts.ts";
import type { ServiceApp, ServiceParts } from "./parts.ts";

/** By this name the order service knows whom to ask back. */
const SIDE = "payments";

/** Makes the service. */
export function paymentService({ settings, sql }: ServiceParts): ServiceApp {
  const signingKeys = settings.SIGNING_KEYS;
  const fence = postgresFence(sql, { migrate: false });
  const url = `${settings.ORDERS_URL}/atlast/half`;
  const client = createClient({ url, signingKeys, participant: SIDE, fence });

  const app = new Hono();
  app.post("/payments", async (c) => {
    const payment = OrderPaid.body.safeParse(await c.req.json().catch(() => null));
    if (!payment.success) return c.json({ error: "This is no payment" }, 400);
    const { orderId, cents } = payment.data;
    // One order is paid once: the same id again is the same message, and runs nothing.
    const id = `payment-${orderId}`;
    const { outcome } = await client.transact(OrderPaid, payment.data, async (tx) => {
      await tx`insert into payments (order_id, cents) values (${orderId}, ${cents})`;
    }, { id });
    return c.json({ outcome }, outcome === "committed" ? 201 : 202);
  });
  const verify = verifySignature({ signingKeys });
  const checkBacks = createCheckBackApp<Hono>(fence, { participant: SIDE, signingKeys, verify });
  return { app: app.route("/atlast", checkBacks), prune: () => client.prune() };
}
