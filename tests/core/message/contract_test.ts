import { type } from "arktype";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import * as z from "zod";
import { defineMessage, type Schema, valueOf } from "../../../core/message/contract.ts";
import { AtlastError, ContractError } from "../../../core/errors.ts";
import { DEFAULT_RETRY } from "../../../core/lifecycle/retry.ts";

/** One body, said by each library. */
const LIBRARIES: Readonly<Record<string, Schema<Order>>> = {
  zod: z.object({ orderId: z.number(), items: z.array(z.object({ qty: z.number() })) }),
  valibot: v.object({ orderId: v.number(), items: v.array(v.object({ qty: v.number() })) }),
  arktype: type({ orderId: "number", items: type({ qty: "number" }).array() }),
};

interface Order {
  orderId: number;
  items: { qty: number }[];
}

async function read<Body>(schema: Schema<unknown, Body>, value: unknown): Promise<Body> {
  return valueOf(await schema["~standard"].validate(value), 'body of "order.placed"');
}

for (const [library, body] of Object.entries(LIBRARIES)) {
  describe(`a contract of ${library}`, () => {
    const contract = defineMessage("order.placed", { body });

    it("reads a body that fits", async () => {
      const order = { orderId: 1, items: [{ qty: 2 }] };
      assert.deepEqual(await read(contract.body, order), order);
    });

    it("says every problem of one that does not, and where", async () => {
      const wrong = { orderId: "1", items: [{ qty: 2 }, { qty: null }] };
      await assert.rejects(read(contract.body, wrong), (error) => {
        assert.ok(error instanceof ContractError && error instanceof AtlastError);
        assert.equal(error.code, "invalid_body");
        assert.deepEqual(error.problems.map(({ path }) => path).sort(), [
          "items[1].qty",
          "orderId",
        ]);
        assert.ok(error.message.startsWith('Cannot accept the body of "order.placed": '));
        for (const { path, message } of error.problems) {
          assert.ok(message.length > 0 && error.message.includes(path));
        }
        return true;
      });
    });
  });
}

describe("a contract", () => {
  it("has its name, its schemas, and its policy only if given", () => {
    const body = z.object({ orderId: z.number() });
    assert.deepEqual(defineMessage("a.b", { body }), { name: "a.b", body, reply: undefined });
    assert.deepEqual(defineMessage("a.b", { body, reply: body, retry: DEFAULT_RETRY }), {
      name: "a.b",
      body,
      reply: body,
      retry: DEFAULT_RETRY,
    });
  });

  it("is refused with a name or a policy that makes no sense", () => {
    const body = z.string();
    assert.throws(() => defineMessage("a..b", { body }), { code: "invalid_name" });
    assert.throws(() => defineMessage("a.*", { body }), { code: "invalid_name" });
    assert.throws(
      () => defineMessage("a", { body, retry: { kind: "fixed", delayMs: -1, maxAttempts: 1 } }),
      { code: "invalid_option", message: /delayMs -1/ },
    );
  });
});

describe("what a schema of user code returns", () => {
  const read = (result: unknown) => () => valueOf(result as never, "body");

  it("must be a result", () => {
    for (const result of [undefined, null, 5, "ok"]) {
      assert.throws(read(result), { name: "TypeError", message: /the schema returned no result/ });
    }
    for (const issues of ["secret", 5, {}, null]) {
      const message = "Cannot read the body: the schema returned issues that are no list";
      assert.throws(read({ issues }), { name: "TypeError", message });
    }
  });

  it("may have issues of any kind, and the body is refused", () => {
    for (const issue of [null, "no", 5, {}, { path: "a" }, { path: [null, {}] }, { message: 5 }]) {
      assert.throws(read({ issues: [issue] }), ContractError);
    }
  });
});

describe("the path of a problem", () => {
  const at = (path: (PropertyKey | { key: PropertyKey })[] | undefined): string => {
    try {
      valueOf({ issues: [{ message: "wrong", ...(path === undefined ? {} : { path }) }] }, "body");
    } catch (error) {
      assert.ok(error instanceof ContractError);
      return error.problems[0]?.path ?? "";
    }
    throw new Error("accepted what has issues");
  };

  it("reads like code", () => {
    assert.equal(at(["items", 2, "qty"]), "items[2].qty");
    assert.equal(at([{ key: "items" }, { key: 2 }]), "items[2]");
    assert.equal(at([0, "a"]), "[0].a");
    assert.equal(at(["a", Symbol("s")]), "a.Symbol(s)");
  });

  it("is empty for the body itself", () => {
    assert.equal(at(undefined), "");
    assert.equal(at([]), "");
    assert.equal(
      new ContractError("body", [{ path: "", message: "no" }]).message,
      "Cannot accept the body: want what its schema takes at the top",
    );
  });

  it("is bounded, and on one line, whatever the body calls its fields", () => {
    assert.equal(at(["a\nb"]), "a b");
    assert.equal(at(["x".repeat(1000)]).length, 200);
    const problems = Array.from({ length: 1000 }, (_, i) => ({ path: `[${i}]`, message: "no" }));
    assert.match(
      new ContractError("body", problems).message,
      /at \[18\]; want .* at \[19\], and 980 more$/,
    );
  });
});
