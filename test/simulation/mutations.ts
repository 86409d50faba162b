import type { Broker } from '../../core/broker/broker.ts'
import type { Mutation } from './world.ts'

/** A ledger that gives everything to everybody. */
export const noLedgerCheck: Mutation = {
  ledger: (ledger) => ({
    ...ledger,
    async claim(request) {
      const claim = await ledger.claim(request)
      return claim.kind === 'claimed' ? claim : { kind: 'claimed', claim: 1, uncounted: 0 }
    },
  }),
}

/** The last claim before poison is given to whoever asks for it. */
export const lastClaimInCompany: Mutation = {
  ledger: (ledger) => ({ ...ledger, claim: (request) => ledger.claim({ ...request, alone: true }) }),
}

/** Retry records and dead letters are handed over, and nobody waits for the acknowledgement. */
export const noWaitForFollowUps: Mutation = {
  broker: (broker) => ({
    ...broker,
    producer: {
      async produce(records) {
        const written = broker.producer.produce(records)
        if (!records.every(({ topic }) => /\.(retry\.\w+|dlq)$/.test(topic))) return written
        written.catch(() => {})
        return []
      },
    },
  }),
}

/** What is for a missing topic is taken to be kept. */
export const holdsNothing: Mutation = { planner: (store) => ({ ...store, hold: async () => {} }) }

/** Nobody looks what waits for a topic already. */
export const overtakesHeld: Mutation = {
  planner: (store) => ({ ...store, held: { ...store.held, behind: async () => new Set() } }),
}

/** What follows an outcome, and whose topic is missing, is taken to be kept. */
export const holdsNoFollowUps: Mutation = { ledger: (ledger) => ({ ...ledger, hold: async () => {} }) }

/** A delivery that cannot be put off is left as it is, and its record is done. */
export const givesNothingUp: Mutation = { ledger: (ledger) => ({ ...ledger, giveUp: async () => false }) }

/** Every assignment looks like the one before, and commits name no generation. */
export const noEpochGuard: Mutation = {
  broker: (broker, link, cluster) => ({
    ...broker,
    consumer(options) {
      const { handlers, group } = options
      const consumer = broker.consumer({
        ...options,
        handlers: {
          ...handlers,
          onAssigned: ({ partitions }) => handlers.onAssigned({ epoch: 0, partitions }),
          onRevoked: () => handlers.onRevoked(0),
          onRecords: (fetched) => handlers.onRecords({ ...fetched, epoch: 0 }),
        },
      })
      return wrap(consumer, (_epoch, offsets) =>
        link.call(`commit ${group}`, () => {
          for (const { topic, partition, offset } of offsets)
            cluster.group(group).overwrite(cluster.log.require(topic).partitions[partition]!, offset)
        }),
      )
    },
  }),
}

/** What is handed over is committed at once, as a consumer with auto-commit does. */
export const commitsWhatItGets: Mutation = {
  broker: (broker) => ({
    ...broker,
    consumer(options) {
      const { handlers } = options
      const consumer: ReturnType<Broker['consumer']> = broker.consumer({
        ...options,
        handlers: {
          ...handlers,
          onRecords(fetched) {
            const { epoch, topic, partition, records } = fetched
            consumer.commit(epoch, [{ topic, partition, offset: records.at(-1)!.offset + 1 }]).catch(() => {})
            handlers.onRecords(fetched)
          },
        },
      })
      return wrap(consumer, async () => {})
    },
  }),
}

/** A worker that does not notice for how long it stood still. */
export const noLeaseCheck: Mutation = { clock: (clock) => ({ ...clock, monotonic: () => 0 }) }

type Consumer = ReturnType<Broker['consumer']>

function wrap(consumer: Consumer, commit: Consumer['commit']): Consumer {
  return {
    start: () => consumer.start(),
    pause: (partitions) => consumer.pause(partitions),
    resume: (partitions) => consumer.resume(partitions),
    stop: () => consumer.stop(),
    commit,
  }
}
