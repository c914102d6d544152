/**
 * The order service's own data in Redis.
 *
 * An order is a hash `order:<id>`; `orders` lists their numbers, and `orders:counts` counts them by status.
 * `orders:paying` has those that wait to be paid, with all that the payment loop needs, so that it reads them
 * with one command.
 * `wallets:reserved` and `wallets:spent` have cents by customer.
 *
 * @module
 */
import { redisTransaction, type UpstashRedisTransaction } from "@atlast/bus/upstash-redis";
import type { Redis } from "@upstash/redis";
import type { OrderBook, UnpaidOrder } from "../services/business_data.ts";
import type { Row } from "../reconciliation/table_reader.ts";
import { once, type Writes } from "./once.ts";

const keyOf = (orderId: number): string => `order:${orderId}`;
const keyOfMessage = (messageId: string): string => `order_of:${messageId}`;

const PLACE = `
  if redis.call("EXISTS", KEYS[1]) == 1 then return cancel("before") end
  redis.call("HSET", KEYS[1], "order_id", ARGV[1], "customer_id", ARGV[2], "product_id", ARGV[3],
    "qty", ARGV[4], "price_cents", ARGV[5], "message_id", ARGV[6],
    "status", "pending", "payment_attempt", 0)
  redis.call("RPUSH", KEYS[2], ARGV[1])
  redis.call("SET", KEYS[3], ARGV[1])
  redis.call("HINCRBY", KEYS[4], ARGV[2], ARGV[5])
  redis.call("HINCRBY", KEYS[5], "pending", 1)`;

const TO_PAY = `
  local customer, cents = unpack(redis.call("HMGET", KEYS[1], "customer_id", "price_cents"))
  redis.call("HSET", KEYS[1], "status", "paying", "payment_attempt", 1)
  redis.call("HSET", KEYS[2], ARGV[1], cjson.encode({ orderId = tonumber(ARGV[1]),
    customerId = tonumber(customer), priceCents = tonumber(cents), attempt = 1 }))
  redis.call("HINCRBY", KEYS[3], "pending", -1)
  redis.call("HINCRBY", KEYS[3], "paying", 1)`;

const END = `
  local was, customer, cents =
    unpack(redis.call("HMGET", KEYS[1], "status", "customer_id", "price_cents"))
  redis.call("HSET", KEYS[1], "status", ARGV[2], "reason", ARGV[3])
  redis.call("HDEL", KEYS[2], ARGV[1])
  redis.call("HINCRBY", KEYS[3], was, -1)
  redis.call("HINCRBY", KEYS[3], ARGV[2], 1)
  redis.call("HINCRBY", KEYS[4], customer, "-" .. cents)
  if ARGV[2] == "succeeded" then redis.call("HINCRBY", KEYS[5], customer, cents) end`;

/** Ends an order only if it still waits to be paid, in one transaction with the message. */
const GIVE_UP = `
  if redis.call("HGET", KEYS[1], "status") ~= "paying" then return cancel("ended") end
  ${END}`;

/** Does nothing if another attempt was started meanwhile. */
const PAY_AGAIN = `
  local paying = redis.call("HGET", KEYS[2], ARGV[1])
  if not paying then return 0 end
  local order = cjson.decode(paying)
  if order.attempt ~= tonumber(ARGV[2]) then return 0 end
  order.attempt = order.attempt + 1
  redis.call("HSET", KEYS[1], "payment_attempt", order.attempt)
  redis.call("HSET", KEYS[2], ARGV[1], cjson.encode(order))
  return 1`;

/** The order book in a Redis database. */
export function redisOrderBook(redis: Redis): OrderBook<UpstashRedisTransaction | undefined> {
  return {
    async place(_bus, { orderId, customerId, productId, qty, priceCents, messageId }, publish) {
      const tx = redisTransaction(redis);
      await publish(tx);
      const { committed } = await tx.commit({
        script: PLACE,
        keys: [
          ...[keyOf(orderId), "orders", keyOfMessage(messageId)],
          ...["wallets:reserved", "orders:counts"],
        ],
        args: [orderId, customerId, productId, qty, priceCents, messageId],
      });
      return committed;
    },
    async markPayable(orderId, { message }) {
      await once(redis, message.id, {
        script: TO_PAY,
        keys: [keyOf(orderId), "orders:paying", "orders:counts"],
        args: [orderId],
      });
    },
    async endOrder(orderId, failure, { message }) {
      await once(redis, message.id, createEnd(END, orderId, failure));
    },
    async endOrderOf(messageId, failure, { message }) {
      const orderId = await redis.get<number>(keyOfMessage(messageId));
      if (orderId !== null) await once(redis, message.id, createEnd(END, orderId, failure));
    },
    async listUnpaid() {
      const paying = await redis.hgetall<Record<string, UnpaidOrder>>("orders:paying");
      return Object.values(paying ?? {});
    },
    async startNextPayment({ orderId, attempt }) {
      await redis.eval(PAY_AGAIN, [keyOf(orderId), "orders:paying"], [orderId, attempt]);
    },
    async failUnpaid(_bus, { orderId }, failure, publish) {
      const tx = redisTransaction(redis);
      await publish(tx);
      await tx.commit(createEnd(GIVE_UP, orderId, failure));
    },
    get: (orderId) => redis.hgetall<Record<string, string | number>>(keyOf(orderId)),
    async countByStatus() {
      const counts = await redis.hgetall<Record<string, number>>("orders:counts");
      return Object.entries(counts ?? {}).map(([status, orders]) => ({ status, orders }));
    },
  };
}

/** Reads every order. */
export async function readOrders(redis: Redis): Promise<Row[]> {
  const ids = await redis.lrange<number>("orders", 0, -1);
  if (ids.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.hgetall(keyOf(id));
  const orders = await pipeline.exec<(Row | null)[]>();
  return orders.filter((order) => order !== null);
}

function createEnd(script: string, orderId: number, failure: string | null): Writes {
  return {
    script,
    keys: [
      ...[keyOf(orderId), "orders:paying", "orders:counts"],
      ...["wallets:reserved", "wallets:spent"],
    ],
    args: [orderId, failure === null ? "succeeded" : "failed", failure ?? ""],
  };
}
