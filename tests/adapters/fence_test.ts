import { after } from "node:test";
import { memoryFence, type MemoryFenceTransaction } from "../../adapters/memory/mod.ts";
import type { Fence } from "../../ports.ts";
import { testFence } from "../conformance/test_suites.ts";
import { newPglite } from "../support/pglite.ts";
import { NO_POSTGRES, postgresUrl } from "../support/postgres.ts";
import { onPg, onPglite, onPostgres, type TwoDatabases } from "../support/two_databases.ts";
import type { FenceSubject, Opened } from "../../devtools/conformance/mod.ts";

const db = await newPglite();
const url = await postgresUrl();
after(() => db.close());

testFence("memory fence", {
  open() {
    const fence = memoryFence() as Fence;
    const rows: string[] = [];
    const subject: FenceSubject = {
      fence,
      peer: fence,
      write(tx, id) {
        rows.push(id);
        (tx as MemoryFenceTransaction).onRollback(() => rows.splice(rows.indexOf(id), 1));
        return Promise.resolve();
      },
      written: () => Promise.resolve(rows.filter(() => true)),
    };
    return Promise.resolve({ subject, close: () => Promise.resolve() });
  },
});

testFence("PGlite fence", {
  open: async () => await opened(await onPglite(db, db)),
  skip: [{
    reason: "its one connection belongs to the operation while that is open",
    tests: [
      "an operation that is still open is unknown, never aborted, and can commit",
      "the outcome of an operation that is still open is not there yet",
      "an open operation holds up no other message",
      "an operation that runs beside an open run of itself never commits too",
    ],
  }],
});

testFence("Postgres fence", {
  unavailable: url === null ? NO_POSTGRES : null,
  open: async () => await opened(await onPostgres(url as string, url as string)),
});

testFence("pg fence", {
  unavailable: url === null ? NO_POSTGRES : null,
  open: async () => await opened(await onPg(url as string, url as string)),
});

async function opened(databases: TwoDatabases): Promise<Opened<FenceSubject>> {
  const [fence, peer] = [databases.newFence(), databases.newFence()];
  await Promise.all([fence.ready(), peer.ready()]);
  return {
    subject: { fence, peer, write: databases.pay, written: databases.payments },
    close: () => databases.close(),
  };
}
