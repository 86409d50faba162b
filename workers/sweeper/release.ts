import type { Producer } from '../../core/broker/broker.ts'
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
 * again, and the ledger drops it. Answers for each topic that still refuses since when (milliseconds since the epoch) its oldest record waits.
 */
export async function releaseHeld(
  held: HeldStore,
  { producer, clock }: ReleaseOptions,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  await held.dropBefore(new Date(clock.now() - patience))
  const closed = new Map<string, number>()
  for (const { topic, since } of await held.topics()) {
    if (!(await releaseTopic(held, producer, topic, signal))) closed.set(topic, since.getTime())
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
    await held.strikeOff(records.map(idOf))
    if (refused.length > 0) await held.failTooLarge(refused.map(({ record }) => idOf(record)))
  }
  return true
}

const idOf = ({ delivery }: DeliveryRecord) => delivery
