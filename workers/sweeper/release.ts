import { BrokerError, type Producer } from '../../core/broker/broker.ts'
import type { Clock } from '../../core/clock.ts'
import type { DeliveryRecord, HeldStore } from '../../core/store/held-records.ts'
import { produceEach } from '../produce-each.ts'

export interface ReleaseOptions {
  producer: Producer
  clock: Pick<Clock, 'now'>
}

/** Records written at once, and writes for one topic in one round. */
const [batchSize, maxBatches] = [500, 100]
/** Milliseconds beyond their deadline for which records are kept: by then the sweep has ended their deliveries. */
const patience = 600_000

/**
 * Writes what waits for topics that did not take it, to those that do now. What is written and not struck off when the process ends is written
 * again, and the ledger drops it. Answers for each topic that still refuses, or whose brokers are away, since when (milliseconds since the epoch) its oldest record waits.
 */
export async function releaseHeld(
  held: HeldStore,
  { producer, clock }: ReleaseOptions,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  await held.dropBefore(new Date(clock.now() - patience))
  const closed = new Map<string, number>()
  for (const { topic, since } of await held.topics()) {
    const taken = await releaseTopic(held, producer, topic, signal).catch((error: unknown) => {
      // One topic without a leader must keep neither the others nor the rest of the sweep waiting.
      if (error instanceof BrokerError) return false
      throw error
    })
    if (!taken) closed.set(topic, since.getTime())
  }
  return closed
}

/** Whether the topic takes its records. The first goes alone: a topic that is still missing is to cost one answer. */
async function releaseTopic(
  held: HeldStore,
  producer: Producer,
  topic: string,
  signal: AbortSignal,
): Promise<boolean> {
  for (let batches = 0; batches < maxBatches && !signal.aborted; batches++) {
    const records = await held.read(topic, batches === 0 ? 1 : batchSize)
    if (records.length === 0) break
    const refused = await produceEach(producer, records)
    if (refused.some(({ refusal }) => refusal === 'no_topic')) return false
    // Before they are struck off: a crash in between must leave none that waits without a record.
    if (refused.length > 0) await held.failTooLarge(refused.map(({ record }) => idOf(record)))
    await held.strikeOff(records.map(idOf))
  }
  return true
}

const idOf = ({ delivery }: DeliveryRecord) => delivery
