import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { readArguments, UsageError } from "../../../examples/demo/arguments.ts";
import {
  DeductQty,
  MarkStatus,
  PaymentTaken,
  ReturnQty,
} from "../../../examples/demo/contracts.ts";
import {
  handlerFault,
  listFaults,
  paymentFault,
  planKills,
  transportFault,
} from "../../../examples/demo/faults/fault_plan.ts";
import {
  createAccounts,
  createStock,
  planOrders,
  UNIT_PRICE_CENTS,
} from "../../../examples/demo/order_plan.ts";
import { createPaymentId, parsePaymentId } from "../../../examples/demo/services/payment_id.ts";
import { holds } from "../../support/property.ts";

const SEEDS = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe("the demo's fault plan", () => {
  test("is the same for the same seed, and another for another", () => {
    assert.deepEqual(listFaults(7, 300), listFaults(7, 300));
    assert.notDeepEqual(listFaults(7, 300), listFaults(8, 300));
  });

  test("has faults of every kind in a run of 300 orders", () => {
    holds(
      fc.property(SEEDS, (seed) => {
        const plan = listFaults(seed, 300).join("\n");
        for (
          const kind of [
            "lost",
            "answer_lost",
            "doubled",
            "before",
            "after",
            "rolled_back",
            "outcome_lost",
          ]
        ) {
          assert.match(plan, new RegExp(`^${kind} `, "m"));
        }
      }),
      50,
    );
  });

  test("does not depend on what was asked before", () => {
    const backwards = planOrders(7, 100).map(({ orderId }) => 101 - orderId)
      .map((orderId) => transportFault(7, DeductQty.name, orderId, 1)).reverse();
    const forwards = planOrders(7, 100)
      .map(({ orderId }) => transportFault(7, DeductQty.name, orderId, 1));
    assert.deepEqual(backwards, forwards);
  });

  test("lets every message through from the third attempt on", () => {
    holds(fc.property(SEEDS, fc.integer({ min: 1, max: 10_000 }), (seed, orderId) => {
      for (const { name } of [DeductQty, MarkStatus, PaymentTaken, ReturnQty]) {
        assert.equal(transportFault(seed, name, orderId, 3), null);
        assert.equal(handlerFault(seed, name, orderId, 3), null);
      }
      assert.equal(paymentFault(seed, orderId, 3), null);
    }));
  });

  test("kills at orders that get that far in their first attempt", () => {
    holds(
      fc.property(SEEDS, (seed) => {
        const kills = planKills(seed, 60);
        assert.deepEqual(kills.map(({ step }) => step), ["prepared", "deducted", "paid"]);
        for (const { order, step } of kills) {
          assert.equal(planOrders(seed, 60)[order - 1]?.kind, "ordinary");
          const fault = step === "deducted"
            ? handlerFault(seed, DeductQty.name, order, 1)
            : paymentFault(seed, order, 1);
          assert.equal(fault, null);
        }
      }),
      50,
    );
  });

  test("kills nobody where no order is fit for it", () => {
    const seed = 7;
    const first = planOrders(seed, 50).findIndex(({ kind }) => kind === "ordinary");
    assert.deepEqual(planKills(seed, first), []);
  });
});

describe("the demo's orders", () => {
  test("are of every kind, and as many succeed whatever comes first", () => {
    const plan = planOrders(7, 300);
    const count = (kind: string) => plan.filter((order) => order.kind === kind).length;
    assert.equal(count("poison"), 6);
    assert.equal(count("too_many"), 24);
    assert.equal(count("broke"), 12);
    const stock = new Map(createStock(plan).map(({ productId, qty }) => [productId, qty]));
    assert.equal(stock.get(4), Math.ceil(count("scarce") / 2));
    for (const { kind, productId, qty } of plan) {
      const inStock = stock.get(productId);
      if (kind === "poison") assert.equal(inStock, undefined);
      if (kind === "too_many") assert.ok(qty > (inStock ?? 0));
    }
    for (const [productId, qty] of stock) {
      const ordinary = plan.filter((o) => o.kind === "ordinary" && o.productId === productId);
      assert.ok(ordinary.reduce((sum, order) => sum + order.qty, 0) <= qty);
    }
  });
});

describe("the demo's payments", () => {
  test("can be paid by every customer but the one who is broke", () => {
    const plan = planOrders(7, 300);
    for (const { customerId, cents } of createAccounts(plan)) {
      const own = plan.filter((order) => order.customerId === customerId);
      const payable = own.filter(({ kind }) => kind === "ordinary" || kind === "scarce");
      const broke = own.filter(({ kind }) => kind === "broke");
      assert.ok(payable.reduce((sum, { qty }) => sum + qty * UNIT_PRICE_CENTS, 0) <= cents);
      for (const { qty } of broke) assert.ok(qty * UNIT_PRICE_CENTS > cents);
    }
  });

  test("are known by their ids", () => {
    assert.deepEqual(parsePaymentId(createPaymentId(12, 3)), { orderId: 12, attempt: 3 });
    assert.equal(parsePaymentId("return-12"), null);
  });
});

describe("the demo's arguments", () => {
  test("have defaults", () => {
    assert.deepEqual(readArguments([], 0.5), {
      once: false,
      orders: 300,
      seed: 500_000,
      store: "sql",
      databaseUrl: null,
    });
  });

  test("are read in both forms", () => {
    const url = "postgres://user:pass=word@host/db";
    assert.deepEqual(
      readArguments(["--once", "--orders", "60", "--seed=7", `--database-url=${url}`], 0),
      { once: true, orders: 60, seed: 7, store: "sql", databaseUrl: url },
    );
    assert.equal(readArguments(["--store", "upstash-redis"], 0)?.store, "upstash-redis");
  });

  test("ask for help", () => assert.equal(readArguments(["--help"], 0), null));

  for (
    const [args, message] of [
      [["--twice"], /Cannot use "--twice": must be one of --once/],
      [["60"], /Cannot use "60"/],
      [["--once=yes"], /Cannot use "--once"/],
      [["--seed"], /Cannot use --seed without a value/],
      [["--seed", "--once"], /Cannot use --seed without a value/],
      [["--seed", "1", "--seed", "2"], /Cannot use --seed twice/],
      [["--orders", "0"], /Cannot use --orders "0": must be a whole number from 1/],
      [["--orders", "1.5"], /Cannot use --orders "1.5"/],
      [["--store", "redis"], /Cannot use --store "redis": must be sql or upstash-redis/],
      [
        ["--store=upstash-redis", "--database-url=postgres://me:secret@host/db"],
        /Cannot use --database-url with --store upstash-redis/,
      ],
      [["--database-url", "mysql://me:secret@host"], /must be postgres:/],
    ] as const
  ) {
    test(`refuse ${args.join(" ")}`, () => {
      assert.throws(() => readArguments(args, 0), (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  }
});
