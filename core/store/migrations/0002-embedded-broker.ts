import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/**
 * The log of the embedded broker. There are no foreign keys on purpose: they would cost a look-up per record, and one process owns
 * these tables. Keys and headers are bytes, because PostgreSQL's text cannot hold U+0000.
 */
export const embeddedBroker: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE broker_topics (
        id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name     text NOT NULL UNIQUE,
        replicas integer NOT NULL,
        config   jsonb NOT NULL
      )`.execute(db)
    // Every append updates the end offset of its partitions: free space in the page keeps that off the indexes (HOT).
    await sql`
      CREATE TABLE broker_partitions (
        id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic_id     integer NOT NULL,
        partition    integer NOT NULL,
        begin_offset bigint NOT NULL DEFAULT 0,
        end_offset   bigint NOT NULL DEFAULT 0,
        last_batch   uuid,
        UNIQUE (topic_id, partition)
      ) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 1000)`.execute(db)
    await sql`
      CREATE TABLE broker_records (
        partition_id integer NOT NULL,
        "offset"     bigint NOT NULL,
        "timestamp"  bigint NOT NULL,
        key          bytea,
        value        bytea,
        headers      bytea,
        PRIMARY KEY (partition_id, "offset")
      )`.execute(db)
    await sql`
      CREATE TABLE broker_offsets (
        group_name   text NOT NULL,
        partition_id integer NOT NULL,
        committed    bigint NOT NULL,
        PRIMARY KEY (group_name, partition_id)
      ) WITH (fillfactor = 50)`.execute(db)
  },
}
