/**
 * Prints the tables of a service as SQL, for one transaction:
 * `migrations.ts orders | psql --single-transaction "$DATABASE_URL"`.
 *
 * @module
 */
import { fenceMigrationSql, migrationSql } from "@atlast/bus/postgres";
import process from "node:process";

const TABLES: Readonly<Record<string, () => string>> = {
  orders: () =>
    `${migrationSql()}
create table orders (
  id integer primary key,
  product_id integer not null,
  qty integer not null,
  status text not null default 'placed',
  answers integer not null default 0,
  label bytea
);
`,
  // No key keeps an order from being reserved or shipped twice: the bus does.
  inventory: () =>
    `${migrationSql()}
create table stock (product_id integer primary key, qty integer not null check (qty >= 0));
create table reservations (order_id integer not null, qty integer not null);
create table parcels (order_id integer not null, cents integer not null);
`,
  payments: () =>
    `${fenceMigrationSql()}
create table payments (order_id integer primary key, cents integer not null);
`,
};

const tables = TABLES[process.argv[2] ?? ""];
if (tables === undefined) {
  console.error(
    `Cannot print migrations: the argument must be one of ${Object.keys(TABLES).join(", ")}`,
  );
  process.exitCode = 2;
} else {
  console.log(tables());
}
