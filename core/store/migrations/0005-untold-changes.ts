import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/**
 * Changes of deliveries that are still to be told as events. Workers and the planner tell theirs before the record that they come from is done;
 * what ends otherwise (cancelled, swept) has no such record, and stands here until it is told.
 */
export const untoldChanges: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE untold_changes (
        delivery_id  uuid NOT NULL,
        replay_epoch integer NOT NULL,
        attempt      integer NOT NULL,
        status       text NOT NULL,
        reason       text,
        PRIMARY KEY (delivery_id, replay_epoch, attempt, status)
      )`.execute(db)
    // Kept by the database, so that none is forgotten whoever makes it; the conditions keep it out of all other updates. A worker ends only
    // what is being sent, and the few of its own that fit are told twice under one id.
    await sql`
      CREATE FUNCTION keep_untold_changes() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO untold_changes (delivery_id, replay_epoch, attempt, status, reason)
        VALUES (NEW.id, NEW.replay_epoch, NEW.attempt, NEW.status, NEW.reason)
        ON CONFLICT DO NOTHING;
        RETURN NULL;
      END $$`.execute(db)
    await sql`
      CREATE TRIGGER keep_untold_changes AFTER UPDATE OF status ON deliveries FOR EACH ROW
      WHEN (
        OLD.status IN ('accepted', 'scheduled', 'queued', 'retrying')
          AND NEW.status IN ('failed', 'skipped', 'cancelled', 'expired', 'unknown')
        OR OLD.status = 'sending' AND NEW.status IN ('cancelled', 'unknown')
      )
      EXECUTE FUNCTION keep_untold_changes()`.execute(db)
  },
}
