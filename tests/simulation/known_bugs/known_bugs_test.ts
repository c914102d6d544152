import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readText } from "../../support/repository.ts";
import { type BugRun, findBugs, type Search } from "./find_bugs.ts";
import { edited } from "./known_bug.ts";
import { KNOWN_BUGS } from "./known_bugs.ts";

/** The source as it is. */
const NO_BUG = "";

describe("bus: the simulation finds known bugs", () => {
  it("each within its seeds, and none in the source as it is", async () => {
    const searches = KNOWN_BUGS.map(({ name, within }): Search => ({
      name,
      seeds: within,
      from: 1,
    }));
    const most = Math.max(...searches.map(({ seeds }) => seeds));
    const runs = new Map<string, BugRun>();
    // The source as it is takes the longest, so it comes first.
    await findBugs(
      [{ name: NO_BUG, seeds: most, from: 1 }, ...searches],
      ({ name }, run) => void runs.set(name, run),
    );
    assert.deepEqual(runs.get(NO_BUG), { kind: "not found", seeds: most, by: "", what: "" });
    runs.delete(NO_BUG);
    const missed = [...runs].filter(([, { kind }]) => kind !== "found");
    assert.deepEqual(missed, []);
    assert.equal(runs.size, KNOWN_BUGS.length);
  });

  it("there are at least twenty, each with a name of its own", () => {
    const names = new Set(KNOWN_BUGS.map(({ name }) => name));
    assert.ok(names.size >= 20);
    assert.equal(names.size, KNOWN_BUGS.length);
  });

  for (const { name, edits } of KNOWN_BUGS) {
    it(`the source has the text of each edit once: ${name}`, () => {
      for (const edit of edits) assert.notEqual(edited(readText(edit.file), edit), "");
    });
  }

  it("an edit is refused whose text the source has not, or twice", () => {
    const edit = { file: "a.ts", find: "one", replace: "two" };
    assert.equal(edited("a one b", edit), "a two b");
    assert.throws(() => edited("a b", edit), /a\.ts: got 0 times the text/);
    assert.throws(() => edited("one one", edit), /a\.ts: got 2 times the text/);
    assert.throws(() => edited("a", { ...edit, find: "" }), /a\.ts/);
  });
});
