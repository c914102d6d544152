/**
 * Reading many records to compare them: by their keys, by ids, and what the inbox remembers.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { InspectionHints, RecordOutline } from "../../../core/ports/inspection.ts";
import type { RecordKey } from "../../../core/ports/record.ts";
import type { Store } from "../../../core/ports/store.ts";
import { keyOf, NOW, recordOf, type StoreCases, stored } from "./subject.ts";

const DAY_MS = 24 * 60 * 60_000;

function hint<Name extends keyof InspectionHints>(
  store: Store,
  name: Name,
): NonNullable<InspectionHints[Name]> {
  const method = store.hints?.[name];
  if (method === undefined) throw new Error(`Cannot go on without the hint ${name}`);
  return method as NonNullable<InspectionHints[Name]>;
}

/** What an outline of a record must have. */
function outlineOf(record: ReturnType<typeof stored>): RecordOutline {
  const { message: { name, headers, sentAtMs }, reply: _reply, retry: _retry, ...rest } = record;
  return { ...rest, message: { name, headers, sentAtMs } };
}

/** The same of what a store returned, which may have more. */
function comparable(outline: RecordOutline): RecordOutline {
  return outlineOf(outline as ReturnType<typeof stored>);
}

/** A digest that a test can read. */
function digits(id: string): string {
  return [...id].map((char) => char.charCodeAt(0).toString(16)).join("").padStart(32, "0");
}

/** Cases for stores that read records by their keys. */
export const outlineCases: StoreCases = {
  "outlines have every field but the body and the reply": async ({ store }) => {
    const changes = {
      group: "g",
      state: "failed",
      dueAtMs: NOW + 5,
      deadlineMs: NOW + 6,
      expiresAtMs: NOW + 7,
      reason: "why",
      leaseUntilMs: NOW + 8,
      details: { principal: "acme", round: 2 },
    } as const;
    const record = recordOf("m-1", changes, { headers: { a: "b" }, body: "x".repeat(10_000) });
    await store.add("inbox", [record], NOW + 1);
    const expected = outlineOf(stored(record, "inbox", NOW + 1));
    const [page, found] = [
      await hint(store, "outlines")("inbox", null, 10),
      await hint(store, "outlinesOf")("inbox", ["m-1"]),
    ];
    assert.deepEqual(page.map(comparable), [expected]);
    assert.deepEqual(found.map(comparable), [expected]);
    assert.deepEqual(await hint(store, "outlines")("outbox", null, 10), []);
    assert.deepEqual(await hint(store, "outlinesOf")("outbox", ["m-1"]), []);
  },

  "pages of outlines have each record once, whatever is added meanwhile": async ({ store }) => {
    const ids = ["a", "B", "A", "b", "a b", "ab", "a-b", "é", "日", "😀", "Z", "_", "1", "10", "9"];
    const keys = ids.flatMap((id) => ["", "g", "G", "g-1"].map((group) => keyOf(id, group)));
    await store.add("inbox", keys.map(({ id, group }) => recordOf(id, { group })), NOW);
    const seen: string[] = [];
    let after: RecordKey | null = null;
    for (let pages = 0; pages < keys.length + 2; pages++) {
      const page: readonly RecordOutline[] = await hint(store, "outlines")("inbox", after, 7);
      assert.ok(page.length <= 7);
      seen.push(...page.map(({ id, group }) => `${id}/${group}`));
      const last = page.at(-1);
      if (last === undefined) break;
      after = keyOf(last.id, last.group);
      await store.add("inbox", [recordOf(`a-new-${pages}`)], NOW);
    }
    assert.equal(new Set(seen).size, seen.length);
    const old = seen.filter((key) => !key.startsWith("a-new-"));
    assert.deepEqual(old.sort(), keys.map(({ id, group }) => `${id}/${group}`).sort());
  },
};

/** Cases for stores that find the records of ids. */
export const idCases: StoreCases = {
  "records are found by ids, of all groups": async ({ store }) => {
    const keys = [keyOf("m-1", "a"), keyOf("m-1", "b"), keyOf("m-2", "a"), keyOf("m-3", "a")];
    await store.add("inbox", keys.map(({ id, group }) => recordOf(id, { group })), NOW);
    const find = hint(store, "outlinesOf");
    const found = await find("inbox", ["m-1", "m-3", "none", "half \ud800 pair", "m-1"]);
    assert.deepEqual(
      found.map(({ id, group }) => `${id}/${group}`).sort(),
      ["m-1/a", "m-1/b", "m-3/a"],
    );
    assert.deepEqual(await find("inbox", []), []);
    assert.deepEqual(await find("outbox", ["m-1"]), []);
    await store.add("outbox", [recordOf("m-1")], NOW);
    assert.deepEqual((await find("outbox", ["m-1"])).map(({ group }) => group), [""]);
  },

  "many records are found, also with large bodies, which are left out": async ({ store }) => {
    const ids = Array.from({ length: 250 }, (_, i) => `m-${i}`);
    const isLarge = (i: number) => i % 50 === 0;
    const records = ids.map((id, i) =>
      recordOf(id, { group: i % 2 === 0 ? "g" : "a b:c" }, {
        body: "x".repeat(isLarge(i) ? 1_000_000 : 10),
        headers: { at: String(i) },
      })
    );
    await store.add("inbox", records, NOW);
    const found = await hint(store, "outlinesOf")("inbox", [...ids, ...ids, "none"]);
    const byId = new Map(found.map((each) => [each.id, comparable(each)]));
    assert.equal(found.length, ids.length);
    for (const record of records) {
      assert.deepEqual(byId.get(record.id), outlineOf(stored(record, "inbox", NOW)));
    }
  },
};

/** Cases for every store. */
export const recallCases: StoreCases = {
  "an inbox that pruned nothing remembers nothing": async ({ store }) => {
    await store.add("inbox", [recordOf("m", { group: "g" })], NOW);
    const recalled = await hint(store, "recall")([digits("m")], NOW);
    assert.deepEqual(recalled, { remembered: [null], prunedUntilMs: null, hasDigests: false });
  },

  "what was pruned is recalled by its key, and changes nothing": async ({ store }) => {
    const old = { group: "g", expiresAtMs: NOW - 1 } as const;
    await store.add("inbox", [recordOf("m-1", { ...old, state: "succeeded" })], NOW - DAY_MS);
    await store.add("inbox", [recordOf("m-2", { ...old, state: "failed" })], NOW - DAY_MS);
    await store.add("inbox", [recordOf("m-3", { ...old, state: "failed" })], NOW - 2 * DAY_MS);
    await store.prune("inbox", NOW, 100, {
      sinceMs: NOW - DAY_MS - 60_000,
      entriesOf: (records) =>
        Promise.resolve(records.map(({ id, state }) => ({
          key: digits(id),
          content: digits(`${id}!`),
          principal: null,
          hasFailed: state === "failed",
        }))),
    });
    const recall = hint(store, "recall");
    const many = Array.from({ length: 2_500 }, (_, i) => digits(`x${i}`));
    const keys = ["m-1", "m-2", "m-3", "m-4"].map(digits);
    const recalled = await recall([...keys, ...many, ...keys], NOW);
    const content = (id: string) => ({ content: digits(`${id}!`), principal: null });
    const expected = [
      { ...content("m-1"), hasFailed: false },
      { ...content("m-2"), hasFailed: true },
      null,
      null,
    ];
    assert.deepEqual(recalled.remembered.slice(0, 4), expected);
    assert.deepEqual(recalled.remembered.slice(-4), expected);
    assert.ok(recalled.remembered.slice(4, -4).every((each) => each === null));
    assert.equal(recalled.remembered.length, many.length + 8);
    assert.equal(recalled.prunedUntilMs, NOW - 2 * DAY_MS);
    assert.deepEqual(await recall([], NOW), {
      remembered: [],
      prunedUntilMs: NOW - 2 * DAY_MS,
      hasDigests: true,
    });
    const late = { record: recordOf("m-4", { group: "g" }), key: digits("m-4"), sinceMs: NOW };
    assert.deepEqual(await store.addUnlessKnown([late], NOW), [{ added: true }]);
  },
};
