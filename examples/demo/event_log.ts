/**
 * Prints the events of a run. Events of one kind that happen close together share a line.
 *
 * @module
 */
import type { ServiceEvent, ServiceName } from "./services/service_event.ts";
import type { Style, Terminal } from "./terminal.ts";

/** How often collected events are printed, in milliseconds. */
const PRINT_EVERY_MS = 1_500;
/** How many orders a line lists. */
const MAX_ORDERS_LISTED = 6;
const BAR_WIDTH = 24;

type Kind = ServiceEvent["kind"] | "placed";

/** A line of the log: its source, and the text for one or for many events of each kind. */
interface Line {
  readonly style: Style;
  readonly source: string;
  readonly texts: Partial<Record<Kind, readonly [one: string, many: string]>>;
  /** Whether it lists the numbers of the orders. */
  readonly listsOrders?: true;
}

const LINES: readonly Line[] = [
  { style: "green", source: "customers", texts: { placed: ["order placed", "orders placed"] } },
  {
    style: "yellow",
    source: "transport",
    texts: {
      lost: ["request lost", "requests lost"],
      answer_lost: ["answer lost", "answers lost"],
      doubled: ["message sent twice", "messages sent twice"],
      unreachable: ["could not be sent, will be retried", "could not be sent, will be retried"],
    },
  },
  {
    style: "magenta",
    source: "handlers",
    texts: {
      crashed_before: ["crashed before its writes", "crashed before their writes"],
      crashed_after: [
        "crashed after its writes, rolled back",
        "crashed after their writes, rolled back",
      ],
      crashed_kept: [
        "crashed after its writes, which the next attempt finds",
        "crashed after their writes, which the next attempt finds",
      ],
    },
  },
  {
    style: "yellow",
    source: "bank",
    texts: {
      rolled_back: ["payment failed, rolled back", "payments failed, rolled back"],
      outcome_lost: [
        "payment's outcome did not reach the store",
        "payments' outcomes did not reach the store",
      ],
    },
  },
  {
    style: "cyan",
    source: "check-back",
    texts: {
      found_taken: ["payment was taken: confirmed", "payments were taken: confirmed"],
      found_aborted: [
        "payment was not taken and can no more be taken: cancelled",
        "payments were not taken and can no more be taken: cancelled",
      ],
    },
    listsOrders: true,
  },
  {
    style: "cyan",
    source: "inboxes",
    texts: {
      redelivered: [
        "message was redelivered: known by its id, not applied again",
        "messages were redelivered: known by their ids, not applied again",
      ],
    },
  },
  {
    style: "red",
    source: "inventory",
    texts: {
      gave_up: [
        "message failed for good: orders gets the failure callback",
        "messages failed for good: orders gets the failure callbacks",
      ],
    },
    listsOrders: true,
  },
  {
    style: "blue",
    source: "orders",
    texts: {
      short: ["compensated: not enough in stock", "compensated: not enough in stock"],
      stuck: ["compensated: inventory gave up on it", "compensated: inventory gave up on them"],
      returned: [
        "compensated: cannot be paid, goods returned",
        "compensated: cannot be paid, goods returned",
      ],
    },
    listsOrders: true,
  },
];

/** Collects events and prints them. */
export class EventLog {
  readonly #terminal: Terminal;
  readonly #planned: number;
  readonly #counts: Partial<Record<Kind, number>> = {};
  #collected: { kind: Kind; order: number | null }[] = [];
  #timer: ReturnType<typeof setTimeout>;
  #ended = false;

  /** Starts the log of a run with `planned` orders. */
  constructor(terminal: Terminal, planned: number) {
    this.#terminal = terminal;
    this.#planned = planned;
    this.#timer = setTimeout(() => this.#printCollected(), PRINT_EVERY_MS);
  }

  /** How many messages were redelivered so far. */
  get redelivered(): number {
    return this.#counts.redelivered ?? 0;
  }

  /** Adds an event that a service reported. */
  add(service: ServiceName, event: ServiceEvent): void {
    if (event.kind === "error") this.#terminal.printEvent("red", service, event.text);
    this.#collect(event.kind, "order" in event ? event.order : null);
  }

  /** Adds that a customer placed an order. */
  addPlaced(): void {
    this.#collect("placed", null);
  }

  /** Prints a line of its own, after the collected events. */
  announce(style: Style, source: string, text: string): void {
    this.#printCollected();
    this.#terminal.printEvent(style, source, this.#terminal.paint("bold", text));
  }

  /** Prints the collected events. From now on only announcements are printed. */
  end(): void {
    this.#printCollected();
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#terminal.setStatusLine("");
  }

  #collect(kind: Kind, order: number | null): void {
    if (this.#ended) return;
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    this.#collected.push({ kind, order });
    this.#showProgress();
  }

  #printCollected(): void {
    const collected = this.#collected;
    this.#collected = [];
    for (const { style, source, texts, listsOrders } of LINES) {
      const own = collected.filter(({ kind }) => kind in texts);
      const parts = Object.entries(texts).map(([kind, [one, many]]) => {
        const count = own.filter((event) => event.kind === kind).length;
        return count === 0 ? "" : `${count} ${count === 1 ? one : many}`;
      }).filter((part) => part !== "");
      if (parts.length === 0) continue;
      const orders = own.map(({ order }) => order).filter((order) => order !== null);
      this.#terminal.printEvent(
        style,
        source,
        parts.join(", ") + (listsOrders ? this.#formatOrders(orders) : ""),
      );
    }
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.#printCollected(), PRINT_EVERY_MS);
  }

  #formatOrders(orders: readonly number[]): string {
    if (orders.length === 0) return "";
    const more = orders.length > MAX_ORDERS_LISTED ? ", …" : "";
    return this.#terminal.paint(
      "dim",
      `  (${orders.slice(0, MAX_ORDERS_LISTED).join(", ")}${more})`,
    );
  }

  #showProgress(): void {
    const { placed = 0, succeeded = 0, short = 0, stuck = 0, returned = 0 } = this.#counts;
    const compensated = short + stuck + returned;
    const done = Math.round(BAR_WIDTH * (succeeded + compensated) / this.#planned);
    const rest = this.#terminal.paint("dim", "─".repeat(Math.max(0, BAR_WIDTH - done)));
    this.#terminal.setStatusLine(
      `        ${"━".repeat(done)}${rest}  ${placed}/${this.#planned} placed, ` +
        `${succeeded} succeeded, ${compensated} compensated`,
    );
  }
}
