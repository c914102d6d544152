import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  checkName,
  checkPattern,
  isWildcard,
  matchesName,
  MAX_NAME_LENGTH,
} from "../../../core/message/name.ts";
import { holds } from "../../support/property.ts";

/** What matching means, written as its definition and not for speed. */
function matchesByDefinition(pattern: readonly string[], name: readonly string[]): boolean {
  const [wanted, ...patternRest] = pattern;
  const [token, ...nameRest] = name;
  if (wanted === undefined) return token === undefined;
  if (wanted === "#") {
    return matchesByDefinition(patternRest, name) ||
      (token !== undefined && matchesByDefinition(pattern, nameRest));
  }
  return token !== undefined && (wanted === "*" || wanted === token) &&
    matchesByDefinition(patternRest, nameRest);
}

describe("a name pattern", () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ["order.created", "order.created", true],
    ["order.created", "order.created.v2", false],
    ["order.created", "my.order.created", false],
    ["order.created", "order_created", false],
    ["order.created", "orderXcreated", false],
    ["order.*", "order.created", true],
    ["order.*", "order", false],
    ["order.*", "order.created.v2", false],
    ["order.*", "reorder.created", false],
    ["*.created", "order.created", true],
    ["*.created", "my.order.created", false],
    ["*", "order", true],
    ["*", "order.created", false],
    ["order.#", "order", true],
    ["order.#", "order.created.v2", true],
    ["order.#", "orders.created", false],
    ["#.created", "created", true],
    ["#.created", "my.order.created", true],
    ["#.created", "my.order.created.v2", false],
    ["#", "anything.at.all", true],
    ["a.#.z", "a.z", true],
    ["a.#.z", "a.b.c.z", true],
    ["a.#.z", "a.b.c", false],
    ["#.#", "a", true],
    ["*.#", "a", true],
  ];
  for (const [pattern, name, expected] of table) {
    it(`${pattern} ${expected ? "matches" : "does not match"} ${name}`, () => {
      assert.equal(matchesName(pattern, name), expected);
    });
  }

  it("means what its definition says", () => {
    const token = fc.constantFrom("a", "b", "ab");
    const name = fc.array(token, { minLength: 1, maxLength: 7 });
    const pattern = fc.array(fc.oneof(token, fc.constantFrom("*", "#")), {
      minLength: 1,
      maxLength: 7,
    });
    holds(
      fc.property(pattern, name, (pattern, name) => {
        assert.equal(
          matchesName(pattern.join("."), name.join(".")),
          matchesByDefinition(pattern, name),
        );
      }),
      3000,
    );
  });

  it("costs no backtracking", () => {
    const pattern = `${"#.a.".repeat(40)}b`;
    const name = Array.from({ length: 90 }, () => "a").join(".");
    assert.equal(matchesName(pattern, name), false);
  });

  it("has a wildcard only where a whole token is one", () => {
    for (const pattern of ["*", "#", "a.*", "#.a", "a.*.b"]) assert.ok(isWildcard(pattern));
    for (const pattern of ["a", "a.b", "a-b_c"]) assert.ok(!isWildcard(pattern));
  });
});

describe("a name", () => {
  it("is dot-separated tokens of letters, digits, _ and -", () => {
    for (const name of ["a", "order.placed", "Order_1.placed-2", "a".repeat(MAX_NAME_LENGTH)]) {
      checkName(name);
      checkPattern(name);
    }
  });

  const wrong = [
    "",
    ".",
    ".a",
    "a.",
    "a..b",
    "a b",
    "a\n",
    "\na",
    "a/b",
    "über",
    "a.b*",
    "a".repeat(MAX_NAME_LENGTH + 1),
  ];
  for (const name of wrong) {
    it(`is not ${JSON.stringify(name.slice(0, 20))} (${name.length})`, () => {
      assert.throws(() => checkName(name), {
        code: "invalid_name",
        message: /as a message name: want/,
      });
      assert.throws(() => checkPattern(name), { code: "invalid_name" });
    });
  }

  it("has no wildcard, which only a pattern may have", () => {
    for (const pattern of ["*", "#", "a.*", "#.a.*"]) {
      checkPattern(pattern);
      assert.throws(() => checkName(pattern), { code: "invalid_name" });
    }
  });

  it("is shown shortened when it is long", () => {
    assert.throws(() => checkName("x".repeat(5000)), (error) => {
      const { message } = error as Error;
      return message.includes("5000 characters") && message.length < 300;
    });
  });
});
