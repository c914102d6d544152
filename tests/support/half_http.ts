/**
 * Two services over real HTTP: one that keeps half messages, and a participant that has a fence and
 * no bus.
 *
 * @module
 */
import { httpCheckBack, verifySignature } from "../../adapters/http/mod.ts";
import {
  memoryFence,
  type MemoryFenceTransaction,
  memoryStore,
  type MemoryTransaction,
} from "../../adapters/memory/mod.ts";
import { sendRequest } from "../../http/send_request.ts";
import type { PostResult } from "../../http/post.ts";
import { Signer } from "../../http/signature.ts";
import type { Store } from "../../core/ports/store.ts";
import type { Fence } from "../../core/ports/fence.ts";
import { type AppOptions, createApp, createCheckBackApp } from "../../edge/mod.ts";
import { type Bus, type BusOptions, createBus } from "../../mod.ts";
import { FakeTransport } from "./fake_transport.ts";
import { KEY } from "./http.ts";
import { ManualClock } from "./manual_clock.ts";
import { Observed } from "./observed.ts";
import { serve, type TestServer } from "./serve.ts";

/** The name of the participant. */
export const SIDE = "payments";

/** What verifies every request of these services. */
export const verify = verifySignature({ signingKeys: [KEY] });

/** What the console would be told of. */
export const silent = (): void => {};

/** A participant. */
export interface Participant {
  readonly fence: Fence<MemoryFenceTransaction>;
  /** Its check-back route. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a participant. */
export async function startParticipant(
  fence: Fence<MemoryFenceTransaction> = memoryFence(),
): Promise<Participant> {
  const app = createCheckBackApp(fence, {
    participant: SIDE,
    signingKeys: [KEY],
    verify,
    onError: silent,
  });
  const server = await serve(app.fetch);
  return { fence, url: `${server.origin}/checkback`, close: () => server.close() };
}

/** A service that keeps half messages. */
export interface Keeper {
  readonly bus: Bus<MemoryTransaction>;
  readonly store: Store<MemoryTransaction>;
  readonly transport: FakeTransport;
  readonly clock: ManualClock;
  readonly observed: Observed;
  readonly server: TestServer;
  /** Its half-message route. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a keeper that can ask a participant at `checkBackUrl`. */
export async function keeperOf(
  checkBackUrl: string,
  options: {
    readonly bus?: Partial<BusOptions<MemoryTransaction>>;
    readonly app?: Partial<AppOptions>;
  } = {},
): Promise<Keeper> {
  const clock = new ManualClock();
  const observed = new Observed();
  const store = memoryStore();
  const transport = new FakeTransport();
  const bus = createBus<MemoryTransaction>({
    store,
    transport,
    clock,
    random: () => 0,
    observe: observed.observe,
    checkBacks: { [SIDE]: httpCheckBack({ url: checkBackUrl, signingKeys: [KEY] }) },
    ...options.bus,
  });
  const halves = { verify, signingKeys: [KEY] };
  const app = createApp(bus, { verify, halfMessages: halves, onError: silent, ...options.app });
  const server = await serve(app.fetch);
  return {
    bus,
    store,
    transport,
    clock,
    observed,
    server,
    url: `${server.origin}/half`,
    async close() {
      await bus.stop();
      await server.close();
    },
  };
}

/** Asks a route of Atlast's own, signed. */
export async function askRoute(
  url: string,
  contentType: string,
  body: unknown,
  signingKeys: readonly string[] = [KEY],
): Promise<PostResult & { kind: "answered" }> {
  const { result } = await sendRequest({
    fetch,
    url,
    contentType,
    text: typeof body === "string" ? body : JSON.stringify(body),
    credentials: { signer: new Signer(signingKeys) },
    timeoutMs: 5_000,
    maxResponseBytes: 1e7,
    signal: new AbortController().signal,
  });
  if (result.kind !== "answered") throw new Error(`Not answered: ${result.kind}`);
  return result;
}
