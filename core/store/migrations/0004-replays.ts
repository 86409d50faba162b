import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const replays: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // Which deliveries are dead letters. A partial index of `deliveries` would say it too, but every claim and every outcome changes the
    // status, and an index that names it would put an end to their updates within the page (HOT).
    await sql`
      CREATE TABLE dead_letters (
        delivery_id      uuid PRIMARY KEY,
        sequence         bigint GENERATED ALWAYS AS IDENTITY,
        tenant           text NOT NULL,
        channel          text NOT NULL,
        dead_lettered_at timestamptz NOT NULL
      )`.execute(db)
    await sql`CREATE UNIQUE INDEX dead_letters_tenant ON dead_letters (tenant, sequence)`.execute(db)
    await sql`
      INSERT INTO dead_letters (delivery_id, tenant, channel, dead_lettered_at)
      SELECT id, tenant, channel, updated_at FROM deliveries WHERE status = 'dead_lettered' ORDER BY updated_at`.execute(
      db,
    )
    // Kept by the database, so that it is right whoever changes a status; the conditions keep it out of all other updates.
    await sql`
      CREATE FUNCTION keep_dead_letters() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'UPDATE' AND NEW.status = 'dead_lettered' THEN
          INSERT INTO dead_letters (delivery_id, tenant, channel, dead_lettered_at)
          VALUES (NEW.id, NEW.tenant, NEW.channel, NEW.updated_at)
          ON CONFLICT (delivery_id) DO NOTHING;
        ELSE
          DELETE FROM dead_letters WHERE delivery_id = OLD.id;
        END IF;
        RETURN NULL;
      END $$`.execute(db)
    await sql`
      CREATE TRIGGER deliveries_dead_lettered AFTER UPDATE OF status ON deliveries FOR EACH ROW
      WHEN (OLD.status <> NEW.status AND (OLD.status = 'dead_lettered' OR NEW.status = 'dead_lettered'))
      EXECUTE FUNCTION keep_dead_letters()`.execute(db)
    await sql`
      CREATE TRIGGER deliveries_dead_letter_deleted AFTER DELETE ON deliveries FOR EACH ROW
      WHEN (OLD.status = 'dead_lettered') EXECUTE FUNCTION keep_dead_letters()`.execute(db)
    await sql`
      CREATE TABLE replays (
        id          uuid PRIMARY KEY,
        sequence    bigint GENERATED ALWAYS AS IDENTITY,
        tenant      text NOT NULL,
        filter      jsonb NOT NULL,
        rate        integer NOT NULL,
        max_records integer,
        status      text NOT NULL,
        reason      text,
        matched     integer NOT NULL,
        replayed    integer NOT NULL DEFAULT 0,
        skipped     jsonb NOT NULL DEFAULT '{}',
        positions   jsonb,
        owner       text,
        lease_until timestamptz,
        created_at  timestamptz NOT NULL,
        started_at  timestamptz,
        updated_at  timestamptz NOT NULL,
        finished_at timestamptz
      )`.execute(db)
    await sql`CREATE UNIQUE INDEX replays_tenant ON replays (tenant, sequence)`.execute(db)
  },
}
