import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const initial: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE notifications (
        id                uuid PRIMARY KEY,
        tenant            text NOT NULL,
        body_hash         bytea NOT NULL,
        template          text,
        template_revision text,
        category          text,
        metadata          jsonb NOT NULL DEFAULT '{}',
        traceparent       text,
        accepted_at       timestamptz NOT NULL,
        expires_at        timestamptz,
        conflicts         integer NOT NULL DEFAULT 0
      )`.execute(db)
    // Claims and outcomes update a row several times: free space in the page keeps those updates off the indexes (HOT).
    await sql`
      CREATE TABLE deliveries (
        id                  uuid PRIMARY KEY,
        notification_id     uuid NOT NULL,
        tenant              text NOT NULL,
        channel             text NOT NULL,
        channel_type        text NOT NULL,
        recipient           text NOT NULL,
        user_id             text,
        status              text NOT NULL,
        reason              text,
        attempt             integer NOT NULL DEFAULT 0,
        replay_epoch        integer NOT NULL DEFAULT 0,
        claims              integer NOT NULL DEFAULT 0,
        uncounted           integer NOT NULL DEFAULT 0,
        owner               text,
        lease_until         timestamptz,
        provider            text,
        provider_message_id text,
        due_at              timestamptz,
        expires_at          timestamptz,
        created_at          timestamptz NOT NULL,
        updated_at          timestamptz NOT NULL
      ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01)`.execute(db)
    await sql`CREATE INDEX deliveries_notification ON deliveries (notification_id)`.execute(db)
    await sql`
      CREATE TABLE attempts (
        delivery_id  uuid NOT NULL,
        replay_epoch integer NOT NULL,
        attempt      integer NOT NULL,
        claim        integer NOT NULL,
        owner        text NOT NULL,
        claimed_at   timestamptz NOT NULL,
        finished_at  timestamptz,
        provider     text,
        outcome      text,
        code         text,
        detail       text,
        PRIMARY KEY (delivery_id, replay_epoch, attempt, claim)
      ) WITH (fillfactor = 80)`.execute(db)
    await sql`
      CREATE TABLE users (
        tenant     text NOT NULL,
        id         text NOT NULL,
        profile    jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (tenant, id)
      )`.execute(db)
    await sql`
      CREATE TABLE inbox (
        id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant      text NOT NULL,
        user_id     text NOT NULL,
        delivery_id uuid NOT NULL UNIQUE,
        title       text NOT NULL,
        body        text NOT NULL,
        action_url  text,
        created_at  timestamptz NOT NULL,
        read_at     timestamptz
      )`.execute(db)
    await sql`CREATE INDEX inbox_user ON inbox (tenant, user_id, id DESC)`.execute(db)
  },
}
