import type { Producer } from '../core/broker/broker.ts'
import type { HeldRecord, HeldStore } from '../core/store/held-store.ts'
import { produceDeadLetter } from './dead-letter.ts'
import { partRefused, type Postponed, produceEach } from './produce-each.ts'

/**
 * Writes records that waited for their topics, and strikes off those that are there now; those of a topic that refuses any of them stay. Answers what was
 * refused, but for what is too large, which ends. When the process ends in between, records are written again, and the ledger drops them.
 */
export async function writeHeld(
  producer: Producer,
  held: HeldStore,
  records: readonly HeldRecord[],
): Promise<Postponed<HeldRecord>[]> {
  const { tooLarge, later } = partRefused(await produceEach(producer, records))
  // Before they are struck off: a crash in between must leave none that waits without a record.
  if (tooLarge.length > 0) await endTooLarge(producer, held, tooLarge)
  const closed = new Set(later.map(({ record }) => record.topic))
  const done = records.filter(({ topic }) => !closed.has(topic))
  if (done.length > 0) await held.strikeOff(done)
  return later
}

async function endTooLarge(
  producer: Producer,
  held: HeldStore,
  records: readonly HeldRecord[],
): Promise<void> {
  for (const { topic, key, value, headers, state } of records)
    if ((state?.status ?? 'dead_lettered') === 'dead_lettered')
      await produceDeadLetter(producer, { topic, key, value, headers })
  await held.failTooLarge(records)
}
