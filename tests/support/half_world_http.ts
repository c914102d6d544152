/**
 * The same world with HTTP between all of it: the participant uses the client and answers check-backs at
 * an app of its own, and messages are delivered to the edge app.
 *
 * @module
 */
import {
  type Fetch,
  httpCheckBack,
  httpTransport,
  verifySignature,
} from "../../adapters/http/mod.ts";
import { type Client, createClient } from "../../client/mod.ts";
import type { Transport } from "../../core/ports/transport.ts";
import { type App, createApp, createCheckBackApp } from "../../edge/mod.ts";
import type { Bus } from "../../mod.ts";
import { type Faulty, faulty } from "./faulty.ts";
import { busOf, type HalfWorld, Paid, partsOf, type WorldParts } from "./half_world.ts";
import { KEY } from "./http.ts";
import { serve } from "./serve.ts";
import type { TwoDatabases } from "./two_databases.ts";

const SIDE = "payments";
const signingKeys = [KEY];
const verify = verifySignature({ signingKeys });

/** What fails here was made to fail. */
const onError = () => {};

/** How far the bus's clock, which a test moves, is ahead of that of signatures, which it does not. */
const AHEAD_MS = 60_000;

/** Processes that are replaced when they crash; their servers' addresses stay. */
interface Processes {
  readonly bus: Bus;
  readonly transport: Faulty<Transport>;
  readonly app: App;
  readonly client: Client;
}

/** A world in which participant, keeper and consumer talk over HTTP. */
export async function worldOverHttp(databases: TwoDatabases): Promise<HalfWorld> {
  const parts: WorldParts = partsOf(databases, () => world);
  parts.clock.advance(Date.now() + AHEAD_MS - parts.clock.now());
  const active = createCheckBackApp(parts.fence.part, {
    participant: SIDE,
    signingKeys,
    verify,
    onError,
  });
  const activeServer = await serve(active.fetch);
  const keeperServer = await serve((request) => processes.app.fetch(request));
  const way = faultyWay();
  const begin = (): Processes => {
    const transport = faulty<Transport>(
      httpTransport({ routes: { "#": `${keeperServer.origin}/deliver` }, signingKeys }),
    );
    const checkBack = httpCheckBack({ url: `${activeServer.origin}/checkback`, signingKeys });
    const bus = busOf(parts, { transport: transport.part, checkBacks: { [SIDE]: checkBack } });
    const client = createClient({
      url: `${keeperServer.origin}/half`,
      signingKeys,
      participant: SIDE,
      fence: parts.fence.part,
      // What is lost must show: the client's own repetitions are tested where it is.
      retry: { kind: "list", delaysMs: [] },
      fetch: way.fetch,
    });
    return {
      bus,
      transport,
      client,
      app: createApp(bus, { verify, halfMessages: { verify, signingKeys }, onError }),
    };
  };
  let processes = begin();
  const world: HalfWorld = {
    ...parts,
    databases,
    get transport() {
      return processes.transport;
    },
    get bus() {
      return processes.bus;
    },
    loseOnTheWay: (call, what) => way.faults.lose(call, what),
    active: {
      prepare: (id, options) => processes.client.prepare(Paid, { n: 1 }, { ...options, id }),
      transact: (id, work) => processes.client.transact(Paid, { n: 1 }, work, { id }),
    },
    consumer: () => {},
    reports: [],
    crash: () => void (processes = begin()),
    async close() {
      await processes.bus.stop();
      await Promise.all([activeServer.close(), keeperServer.close()]);
    },
  };
  return world;
}

type Call = (...args: Parameters<Fetch>) => ReturnType<Fetch>;

/** Requests from the client, told apart by what they ask for. */
function faultyWay(): {
  readonly fetch: Fetch;
  readonly faults: Faulty<{ prepare: Call; result: Call }>;
} {
  const real: Call = async (url, init) => {
    const response = await fetch(url, init);
    // Read here, so that nothing is left of an answer that is lost.
    return new Response(await response.arrayBuffer(), response);
  };
  const faults = faulty({ prepare: real, result: real });
  const isPrepare = (body: unknown): boolean =>
    new TextDecoder().decode(body as Uint8Array).includes('"operation":"prepare"');
  return {
    faults,
    fetch: (url, init) => faults.part[isPrepare(init?.body) ? "prepare" : "result"](url, init),
  };
}
