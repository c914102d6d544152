/**
 * The inventory service's own data in Redis.
 *
 * `stock:names`, `stock:initial` and `stock:qty` are hashes by product. What was deducted for an order is in the list
 * `deductions:<order>`, returned goods as a negative deduction, and `deductions` is the set of those orders.
 * Nothing here keeps an order from being deducted twice: {@linkcode once}, does, and the reconciliation finds out whether it did.
 *
 * @module
 */
import type { UpstashRedisTransaction } from "@atlast/bus/upstash-redis";
import type { Redis } from "@upstash/redis";
import type { StockRoom } from "../services/business_data.ts";
import type { Product } from "../order_plan.ts";
import type { Row } from "../reconciliation/table_reader.ts";
import { once } from "./once.ts";

const DEDUCT = `
  local qty = redis.call("HGET", KEYS[1], ARGV[2])
  if not qty then error("There is no product " .. ARGV[2]) end
  if tonumber(qty) < tonumber(ARGV[3]) then return "short" end
  redis.call("HINCRBY", KEYS[1], ARGV[2], "-" .. ARGV[3])
  redis.call("RPUSH", KEYS[2], cjson.encode({
    order_id = tonumber(ARGV[1]), product_id = tonumber(ARGV[2]), qty = tonumber(ARGV[3]) }))
  redis.call("SADD", KEYS[3], ARGV[1])
  return "deducted"`;

const TAKE_BACK = `
  for _, row in ipairs(redis.call("LRANGE", KEYS[2], 0, -1)) do
    local deduction = cjson.decode(row)
    if deduction.qty > 0 then
      redis.call("HINCRBY", KEYS[1], deduction.product_id, deduction.qty)
      deduction.qty = -deduction.qty
      redis.call("RPUSH", KEYS[2], cjson.encode(deduction))
    end
  end`;

/** The stock room in a Redis database. */
export function redisStockRoom(redis: Redis): StockRoom<UpstashRedisTransaction | undefined> {
  return {
    async deduct({ orderId, productId, qty }, { message }) {
      const result = await once(redis, message.id, {
        script: DEDUCT,
        keys: ["stock:qty", `deductions:${orderId}`, "deductions"],
        args: [orderId, productId, qty],
      });
      return result === "deducted";
    },
    async returnGoods(orderId, { message }) {
      await once(redis, message.id, {
        script: TAKE_BACK,
        keys: ["stock:qty", `deductions:${orderId}`],
        args: [],
      });
    },
    list: () => readStock(redis),
  };
}

/** Puts the products that do not exist into stock. */
export async function fillStock(redis: Redis, stock: readonly Product[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const { productId, name, qty } of stock) {
    pipeline.hsetnx("stock:names", `${productId}`, name);
    pipeline.hsetnx("stock:initial", `${productId}`, qty);
    pipeline.hsetnx("stock:qty", `${productId}`, qty);
  }
  await pipeline.exec();
}

/** What is in stock. */
export async function readStock(redis: Redis): Promise<Row[]> {
  const [names, initial, qty] = await Promise.all([
    redis.hgetall<Record<string, string>>("stock:names"),
    redis.hgetall<Record<string, number>>("stock:initial"),
    redis.hgetall<Record<string, number>>("stock:qty"),
  ]);
  return Object.entries(names ?? {}).map(([id, name]) => ({
    product_id: Number(id),
    name,
    initial_qty: initial?.[id] ?? null,
    qty: qty?.[id] ?? null,
  }));
}

/** Reads what was deducted and what was returned. */
export async function readDeductions(redis: Redis): Promise<Row[]> {
  const orders = await redis.smembers<number[]>("deductions");
  if (orders.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const order of orders) pipeline.lrange(`deductions:${order}`, 0, -1);
  return (await pipeline.exec<Row[][]>()).flat();
}
