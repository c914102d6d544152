/**
 * pg-transactional-outbox with its polling listener. Its replication listener needs a server with
 * logical replication.
 *
 * @module
 */
import { BUSINESS_NOTE } from "../fixtures/tables.ts";
import type { MessageBody } from "./message_body.ts";
import type { HandleOptions, OpenOptions, Session, Subject } from "./subject.ts";
import { requirePeer } from "../peers/packages.ts";
import { type Client, inTransaction, openPool, type Pool } from "./node_postgres.ts";

type Store = (message: object, client: Client) => Promise<void>;

interface Package {
  DatabaseSetup: {
    dropAndCreateTable(config: object): string;
    createPollingFunction(config: object): string;
    setupPollingIndexes(config: object): string;
  };
  getDisabledLogger(): unknown;
  initializeMessageStorage(config: object, logger: unknown): Store;
  initializePollingMessageListener(
    config: object,
    handler: { handle: (message: { payload: MessageBody }) => Promise<void> },
    logger: unknown,
    strategies: object,
  ): [shutdown: () => Promise<void>];
}

const BATCH = 200;
const POLL_MS = 50;
const CONNECTIONS = 20;

export const subject: Subject = {
  name: "pg-transactional-outbox",
  store: "postgres",
  isSlow: true,
  allSettledSql:
    "select not exists (select from public.outbox where processed_at is null and abandoned_at is null) as settled",
  addGrownSql: [],
  deleteDueSql: null,
  async open(options) {
    return new OutboxSession(await openPool(options), options);
  },
};

class OutboxSession implements Session {
  readonly #pool: Pool;
  readonly #package: Package;
  readonly #config: object;
  readonly #logger: unknown;
  readonly #store: Store;
  #shutdown: (() => Promise<void>) | null = null;

  constructor(pool: Pool, { peers, url }: OpenOptions) {
    this.#pool = pool;
    this.#package = requirePeer<Package>(peers, "pg-transactional-outbox");
    this.#logger = this.#package.getDisabledLogger();
    this.#config = {
      outboxOrInbox: "outbox",
      dbListenerConfig: { connectionString: url, max: CONNECTIONS },
      settings: {
        dbSchema: "public",
        dbTable: "outbox",
        nextMessagesFunctionName: "next_outbox_messages",
        nextMessagesBatchSize: BATCH,
        nextMessagesPollingIntervalInMs: POLL_MS,
        enableMaxAttemptsProtection: false,
        enablePoisonousMessageProtection: false,
      },
    };
    this.#store = this.#package.initializeMessageStorage(this.#config, this.#logger);
  }

  async setUp(): Promise<void> {
    const setup = this.#package.DatabaseSetup;
    const names = {
      outboxOrInbox: "outbox",
      schema: "public",
      table: "outbox",
      nextMessagesName: "next_outbox_messages",
    };
    await this.#pool.query(setup.dropAndCreateTable(names));
    await this.#pool.query(setup.createPollingFunction(names));
    await this.#pool.query(setup.setupPollingIndexes(names));
  }

  async publish(body: MessageBody): Promise<unknown> {
    const client = await this.#pool.connect();
    try {
      return await this.#store(createMessage(body), client);
    } finally {
      client.release();
    }
  }

  /** It has no function that publishes many, so one transaction publishes each. */
  publishMany(bodies: readonly MessageBody[]): Promise<unknown> {
    return inTransaction(this.#pool, async (client) => {
      for (const body of bodies) await this.#store(createMessage(body), client);
    });
  }

  publishInTransaction(body: MessageBody): Promise<unknown> {
    return inTransaction(this.#pool, async (client) => {
      await client.query("insert into business (note) values ($1)", [BUSINESS_NOTE]);
      await this.#store(createMessage(body), client);
    });
  }

  startHandling({ onMessage }: HandleOptions): Promise<void> {
    const handle = ({ payload }: { payload: MessageBody }) => Promise.resolve(onMessage(payload));
    const strategies = { batchSizeStrategy: () => Promise.resolve(BATCH) };
    [this.#shutdown] = this.#package.initializePollingMessageListener(
      this.#config,
      { handle },
      this.#logger,
      strategies,
    );
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#shutdown?.();
    await this.#pool.end();
  }
}

function createMessage(payload: MessageBody): object {
  return {
    id: crypto.randomUUID(),
    aggregateType: "bench",
    aggregateId: "1",
    messageType: "measured",
    concurrency: "parallel",
    payload,
    createdAt: new Date().toISOString(),
  };
}
