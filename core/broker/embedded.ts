import type { Kysely } from 'kysely'
import { type Clock, systemClock } from '../clock.ts'
import type { Logger } from '../observability/logger.ts'
import type { Database } from '../store/schema.ts'
import type { Broker } from './broker.ts'
import { clean } from './embedded/cleaner.ts'
import { EmbeddedClient, type Log } from './embedded/client.ts'
import { CommittedOffsets } from './embedded/committed-offsets.ts'
import { Fetcher } from './embedded/fetch.ts'
import { Group } from './embedded/group.ts'
import { LogWriter } from './embedded/log-writer.ts'
import { Topics } from './embedded/topics.ts'

/** Milliseconds between sweeps. Kafka looks every 5 minutes for retention and every 15 s for compaction. */
const CLEANING_INTERVAL_MS = 60_000

/** The broker itself is a client too; closing it closes all of them. */
export interface EmbeddedBroker extends Broker {
  /** Another client of the same log, with its own consumers, followers and end. */
  client(): Broker
  /** Applies retention and compaction now; it happens by itself every minute. */
  clean(): Promise<void>
}

export interface EmbeddedBrokerOptions {
  /** Migrated. One process at a time may open a broker on a database: members of groups are known in memory only. */
  db: Kysely<Database>
  logger: Logger
  clock?: Clock
}

/** Opens the log that the database holds. Rejects when the database cannot be read. `db` stays open after `close`. */
export async function openEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { db, logger, clock = systemClock } = options
  const topics = await Topics.load(db)
  const offsets = await CommittedOffsets.load(db)

  const groups = new Map<string, Group>()
  const newGroup = (): Group =>
    new Group({
      partitionsOf: (topic) => topics.find(topic)?.partitions ?? [],
      commitsSettled: () => offsets.settled(),
    })
  topics.on('changed', (topic) => {
    for (const group of groups.values()) if (group.subscribes(topic)) group.rebalance()
  })

  const log: Log = {
    topics,
    offsets,
    logger,
    writer: new LogWriter({ db, topics, clock }),
    fetcher: new Fetcher(db),
    group(name) {
      const group = groups.get(name) ?? newGroup()
      groups.set(name, group)
      return group
    },
  }

  const sweep = (): Promise<void> => clean({ db, topics, clock })
  let sweeping: Promise<void> | undefined
  const timer = setInterval(() => {
    sweeping ??= sweep()
      .catch((error: unknown) => logger.warn({ err: error }, 'Cleaning the log failed; it is tried again'))
      .finally(() => (sweeping = undefined))
  }, CLEANING_INTERVAL_MS).unref()

  const clients = [new EmbeddedClient(log)]
  const [own] = clients as [EmbeddedClient]
  return {
    producer: own.producer,
    admin: own.admin,
    consumer: (consumer) => own.consumer(consumer),
    follow: (topic, onRecord) => own.follow(topic, onRecord),
    client() {
      const client = new EmbeddedClient(log)
      clients.push(client)
      return client
    },
    clean: sweep,
    async close() {
      clearInterval(timer)
      await Promise.all(clients.map((client) => client.close()))
      await sweeping
    },
  }
}
