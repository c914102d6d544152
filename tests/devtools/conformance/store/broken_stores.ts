/**
 * Stores with one fault each, to show that the cases see it.
 *
 * @module
 */
import { memoryStore } from "../../../../adapters/memory/mod.ts";
import type { InspectionHints } from "../../../../core/ports/inspection.ts";
import type { GroupShare } from "../../../../core/ports/claim_request.ts";
import type { AddResult, Settlement, Store } from "../../../../core/ports/store.ts";
import type { StoredRecord } from "../../../../core/ports/record.ts";
import { storeWithoutTransactions } from "../../../support/without_transactions.ts";
import { END_OF_TIME_MS } from "../../../../core/lifecycle/retry.ts";
import { keyOf, settlement } from "../../../../devtools/conformance/store/subject.ts";

type Fault = (good: Store) => Partial<Store>;

const FAULTS: Readonly<Record<string, Fault>> = {
  "deletes what it hands out": (good) => ({
    async claim(request) {
      const claimed = await good.claim(request);
      await good.settle(request.box, claimed.map((record) => settlement(record)));
      await good.prune(request.box, END_OF_TIME_MS, claimed.length);
      return claimed;
    },
  }),
  "takes any settlement": settlingAs((now) => ({
    epoch: now.epoch,
    guard: now.leaseUntilMs === null ? "anyone while free" : "holder",
    from: now.state,
  })),
  "takes settlements of any epoch": settlingAs(({ epoch }) => ({ epoch })),
  "takes settlements whoever has the claim": settlingAs(({ leaseUntilMs }) => ({
    guard: leaseUntilMs === null ? "anyone while free" : "holder",
  })),
  "takes settlements from any state": settlingAs(({ state }) => ({ from: state })),
  "lets one stale settlement keep the others back": (good) => ({
    async settle(box, settlements, tx) {
      const now = await Promise.all(settlements.map(({ key }) => good.find(box, key)));
      const stale = settlements.some(({ epoch }, i) => now[i]?.epoch !== epoch);
      return stale ? settlements.map(() => false) : good.settle(box, settlements, tx);
    },
  }),
  "answers every settlement with true": (good) => ({
    settle: (box, settlements, tx) =>
      good.settle(box, settlements, tx).then((results) => results.map(() => true)),
  }),
  "forgets replies": (good) => ({
    settle: (box, settlements, tx) =>
      good.settle(box, settlements.map((settlement) => ({ ...settlement, reply: null })), tx),
  }),
  "gives claims no lease": (good) => ({
    claim: (request) => good.claim({ ...request, leaseUntilMs: request.nowMs - 1 }),
  }),
  "claims together what is to be claimed alone": (good) => ({
    async claim(request) {
      const claimed = await good.claim(request);
      for (let more = claimed; more.length > 0 && claimed.length < request.limit;) {
        more = request.kind === "alone" ? await good.claim(request) : [];
        claimed.push(...more);
      }
      return claimed;
    },
  }),
  "claims what is not due": (good) => ({
    claim: (request) => good.claim({ ...request, nowMs: request.nowMs + 1_000 }),
  }),
  "claims the latest first": (good) => ({
    claim: async (request) => (await good.claim(request)).reverse(),
  }),
  "claims of every group": (good) => ({
    claim: ({ groups: _, ...request }) => good.claim(request),
  }),
  "claims every name": claimingAs(({ names: _, ...share }) => share),
  "claims names that are left out": claimingAs(({ except: _, ...share }) => share),
  "gives the first group all": (good) => ({
    claim: async (request) => (await good.claim(request)).slice(0, request.limit),
  }),
  "claims alone after the first death": (good) => ({
    async claim(request) {
      if (request.kind !== "ready") return await good.claim(request);
      const claimed = await good.claim(request);
      return claimed.some(({ crashes }) => crashes > 0) ? claimed.slice(0, 1) : claimed;
    },
  }),
  "claims whatever the key": (good) => ({
    claim: ({ key: _, ...request }) => good.claim(request),
  }),
  "claims by a key whatever the kind": (good) => ({
    async claim(request) {
      const claimed = await good.claim(request);
      if (claimed.length > 0 || request.key === undefined) return claimed;
      return good.claim({ ...request, kind: request.kind === "ready" ? "alone" : "ready" });
    },
  }),
  "claims one more than the limit": (good) => ({
    claim: (request) => good.claim({ ...request, limit: request.limit + 1 }),
  }),
  "does not count crashes": (good) => ({
    claim: async (request) =>
      (await good.claim(request)).map((record) => ({ ...record, crashes: 0 })),
  }),
  "claims between reading and marking": (good) => ({
    async claim(request) {
      const seen = await good.list({ box: request.box, limit: 10, states: ["scheduled"] });
      const claimed = await good.claim(request);
      const free = seen.filter(({ leaseUntilMs }) => leaseUntilMs === null);
      return claimed.length === 0 && request.kind === "ready" ? free : claimed;
    },
  }),
  "renews whatever it is given": () => ({
    renew: (_box, leases) => Promise.resolve(leases.map(() => true)),
  }),
  "renews without an epoch": (good) => ({
    async renew(box, leases, leaseUntilMs) {
      const now = await Promise.all(leases.map(({ key }) => good.find(box, key)));
      const mended = leases.map(({ key }, i) => ({ key, epoch: now[i]?.epoch ?? 0 }));
      return good.renew(box, mended, leaseUntilMs);
    },
  }),
  "says a taken key was added": (good) => ({
    add: async (...args) => (await good.add(...args)).map((): AddResult => ({ added: true })),
  }),
  "answers a taken key with the record as it came": (good) => ({
    add: async (box, records, nowMs, tx) =>
      (await good.add(box, records, nowMs, tx)).map((result, i): AddResult =>
        result.added
          ? result
          : { added: false, existing: { ...result.existing, ...records[i] } as StoredRecord }
      ),
  }),
  "checks for the key before it adds": (good) => ({
    async add(box, records, nowMs, tx) {
      const before = await Promise.all(records.map((record) => good.find(box, record)));
      const results = await good.add(box, records, nowMs, tx);
      return results.map((result, i) => before[i] === null ? { added: true } : result);
    },
  }),
  "confuses keys": (good) => ({
    find: (box, { id, group }) => good.find(box, keyOf(id.toLowerCase(), group)),
  }),
  "reads bodies as JSON": (good) => ({
    async find(box, key) {
      const record = await good.find(box, key);
      if (typeof record?.message.body !== "string") return record;
      let { body } = record.message;
      try {
        body = JSON.stringify(JSON.parse(body));
      } catch { /* It was no JSON, and stays. */ }
      return { ...record, message: { ...record.message, body } };
    },
  }),
  "reads bytes as text": (good) => ({
    async find(box, key) {
      const record = await good.find(box, key);
      if (record === null || typeof record.message.body === "string") return record;
      const body = new TextEncoder().encode(new TextDecoder().decode(record.message.body));
      return { ...record, message: { ...record.message, body } };
    },
  }),
  "pages by time alone": (good) => ({
    async list({ after, limit, ...query }) {
      const all = await good.list({ ...query, limit: END_OF_TIME_MS });
      return all
        .filter(({ createdAtMs }) => after === undefined || createdAtMs < after.createdAtMs)
        .slice(0, limit);
    },
  }),
  "counts leased records as due": (good) => ({
    nextDueAt: async (box, nowMs) => (await good.nextDueAt(box, nowMs)) === null ? null : nowMs,
  }),
  "prunes without a limit": (good) => ({
    prune: (box, nowMs) => good.prune(box, nowMs, END_OF_TIME_MS),
  }),
  "prunes early": (good) => ({
    prune: (box, nowMs, limit) => good.prune(box, nowMs + 1_000, limit),
  }),
  "commits as it goes": (good) => ({
    add: (box, records, nowMs) => good.add(box, records, nowMs),
    settle: (box, settlements) => good.settle(box, settlements),
  }),
  "rolls settlements back but not additions": (good) => ({
    add: (box, records, nowMs) => good.add(box, records, nowMs),
  }),
  "swallows the error of the work": (good) => ({
    transaction: (work) => good.transaction(work).catch(() => undefined as never),
  }),
  "leaves records out between pages of outlines": hinting((hints) => ({
    outlines: async (...args) => (await hints.outlines?.(...args) ?? []).slice(0, -1),
  })),
  "finds records of one group alone by their ids": hinting((hints) => ({
    outlinesOf: async (...args) => (await hints.outlinesOf?.(...args) ?? []).slice(0, 1),
  })),
  "recalls what failed as handled": hinting((hints) => ({
    async recall(...args) {
      const recalled = await hints.recall?.(...args);
      if (recalled === undefined) throw new Error("want the hint recall");
      const remembered = recalled.remembered.map((each) => each && { ...each, hasFailed: false });
      return { ...recalled, remembered };
    },
  })),
  "does not say what it has pruned": hinting((hints) => ({
    async recall(...args) {
      const recalled = await hints.recall?.(...args);
      if (recalled === undefined) throw new Error("want the hint recall");
      return { ...recalled, prunedUntilMs: null };
    },
  })),
};

const STEP_FAULTS: Readonly<Record<string, Fault>> = {
  "adds what goes with a stale settlement": (good) => ({
    async settleAndAdd(box, steps, nowMs) {
      const applied = await good.settle(box, steps.map(({ settlement }) => settlement));
      const added = await Promise.all(
        steps.map((step) => good.add(step.box, step.records, nowMs)),
      );
      return added.map((results, i) => applied[i] ? results : null);
    },
  }),
  "takes no step where one is stale": (good) => ({
    async settleAndAdd(box, steps, nowMs) {
      const now = await Promise.all(
        steps.map(({ settlement }) => good.find(box, settlement.key)),
      );
      const isStale = steps.some(({ settlement }, i) => now[i]?.epoch !== settlement.epoch);
      if (isStale) return steps.map(() => null);
      return await good.settleAndAdd?.(box, steps, nowMs) ?? [];
    },
  }),
  "adds some of all": (good) => ({
    addAll: async (box, records, nowMs) =>
      (await good.add(box, records, nowMs)).map((end) => end.added ? null : end.existing),
  }),
};

/** Makes a store with each fault, by what it does wrong. */
export function brokenStores(): Readonly<Record<string, () => Store>> {
  return withFaults(FAULTS, memoryStore);
}

/** The same for what stores without transactions do in one step. */
export function brokenSteps(): Readonly<Record<string, () => Store>> {
  return withFaults(STEP_FAULTS, storeWithoutTransactions);
}

function withFaults(
  faults: Readonly<Record<string, Fault>>,
  make: () => Store,
): Readonly<Record<string, () => Store>> {
  return Object.fromEntries(
    Object.entries(faults).map(([name, fault]) => [name, () => withFault(make(), fault)]),
  );
}

function withFault(good: Store, fault: Fault): Store {
  const methods = fault(good);
  return new Proxy(good, {
    get(_, property) {
      const wrong = Reflect.get(methods, property);
      if (wrong !== undefined) return wrong;
      const value: unknown = Reflect.get(good, property);
      return typeof value === "function" ? value.bind(good) : value;
    },
  });
}

/** A fault that claims as if the request had said something else of each group. */
function claimingAs(pretend: (share: GroupShare) => GroupShare): Fault {
  return (good) => ({
    claim: ({ groups, ...request }) =>
      good.claim({ ...request, ...groups === undefined ? {} : { groups: groups.map(pretend) } }),
  });
}

/** A fault that settles as if the settlement had said what the record says. */
function settlingAs(pretend: (now: StoredRecord) => Partial<Settlement>): Fault {
  return (good) => ({
    async settle(box, settlements, tx) {
      const now = await Promise.all(settlements.map(({ key }) => good.find(box, key)));
      const pretended = settlements.map((settlement, i) => {
        const record = now[i];
        return record ? { ...settlement, ...pretend(record) } : settlement;
      });
      return await good.settle(box, pretended, tx);
    },
  });
}

/** A fault of some hints. */
function hinting(faulty: (hints: InspectionHints) => InspectionHints): Fault {
  return (good) => ({ hints: { ...good.hints, ...faulty(good.hints ?? {}) } });
}
