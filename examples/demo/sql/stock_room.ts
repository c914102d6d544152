/**
 * The inventory service's own tables. A handler writes in its transaction, so that its writes
 * happen once.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import type { StockRoom } from "../services/business_data.ts";
import type { Row } from "../reconciliation/table_reader.ts";

/**
 * Returned goods are a negative deduction. No unique key keeps an order from being deducted twice: the bus
 * does, and the reconciliation finds out whether it did.
 */
export const INVENTORY_SQL: string = `
create table if not exists stock (
  product_id integer primary key,
  name text not null,
  initial_qty integer not null,
  qty integer not null check (qty >= 0)
);
create table if not exists deductions (
  order_id integer not null,
  product_id integer not null,
  qty integer not null
);`;

/** The stock room in a database. */
export function sqlStockRoom(database: SqlClient): StockRoom<SqlClient> {
  return {
    async deduct({ orderId, productId, qty }, { tx }) {
      const known = await tx.query("select 1 from stock where product_id = $1", [productId]);
      if (known.rows.length === 0) throw new Error(`There is no product ${productId}`);
      const deducted = await tx.query(
        "update stock set qty = qty - $2 where product_id = $1 and qty >= $2 returning 1",
        [productId, qty],
      );
      if (deducted.rows.length === 0) return false;
      await tx.query(
        "insert into deductions (order_id, product_id, qty) values ($1, $2, $3)",
        [orderId, productId, qty],
      );
      return true;
    },
    async returnGoods(orderId, { tx }) {
      await tx.query(
        `with returned as (
           insert into deductions (order_id, product_id, qty)
           select order_id, product_id, -qty from deductions where order_id = $1 and qty > 0
           returning product_id, qty
         )
         update stock set qty = stock.qty - returned.qty
         from returned where stock.product_id = returned.product_id`,
        [orderId],
      );
    },
    async list() {
      const { rows } = await database.query("select * from stock order by product_id");
      return rows as Row[];
    },
  };
}
