import type { ConsumedRecord } from '../../core/broker/broker.ts'
import { decodeRequest, header } from '../../core/notification/envelope.ts'
import { formatDeliveryId, recordIdFor } from '../../core/notification/ids.ts'
import { type DeliveryStatus, isTerminal } from '../../core/notification/status.ts'
import { requestsDeadLettersTopic, requestsTopic } from '../../core/notification/topics.ts'
import { readWork } from '../../workers/delivery/attempt/work.ts'
import type { AttemptRef } from '../../workers/delivery/ledger/ledger.ts'
import type { MemoryPartition } from './memory-broker/log.ts'
import { acceptedOf, garbage } from './requests.ts'
import { prefix } from './scenario.ts'
import type { World } from './world.ts'

/** Everything that is on a topic; nothing while it is missing. */
const recordsOf = ({ cluster }: World, topic: string): ConsumedRecord[] =>
  cluster.log.find(topic)?.partitions.flatMap(({ records }) => records) ?? []

/** Looks at a commit before it is written: it may not go back, and not pass a record for which something is still owed. */
export function checkCommit(world: World, group: string, partition: MemoryPartition, offset: number): void {
  const { problems, cluster } = world
  const before = cluster.group(group).committed.get(partition) ?? partition.begin
  const where = `${partition.topic}/${partition.partition}`
  if (offset < before) problems.add(`commit rewound: ${where} from ${before} to ${offset}`)
  if (offset > partition.end) problems.add(`commit beyond the end: ${where} at ${offset}`)
  for (const record of partition.records) {
    if (record.offset < before || record.offset >= offset) continue
    const owed =
      record.topic === requestsTopic(prefix) ? owedForRequest(world, record) : owedFor(world, record)
    if (owed !== undefined)
      problems.add(`commit ahead of what is finished: ${where}/${record.offset} (${owed})`)
  }
}

function owedForRequest(world: World, record: ConsumedRecord): string | undefined {
  const decoded = decodeRequest(record.value, record.headers)
  if (decoded.kind !== 'ok')
    return hasLetter(world, requestsDeadLettersTopic(prefix), record) ? undefined : 'no dead letter'
  for (const { notification, delivery } of acceptedOf(world)) {
    if (notification !== decoded.envelope.id) continue
    const row = world.store.deliveries.get(delivery)
    if (row === undefined) return 'no row'
    const written = recordsOf(world, world.topics.main).some(({ headers }) => headers['ce_id'] === delivery)
    if (!written && !world.store.held.has(delivery) && !isTerminal(row.status)) return 'no record'
  }
  return undefined
}

function owedFor(world: World, record: ConsumedRecord): string | undefined {
  const { topics, store } = world
  const work = readWork(record)
  if (work.kind !== 'delivery')
    return hasLetter(world, topics.deadLetters, record) ? undefined : 'no dead letter'
  const { ref } = work
  const row = store.deliveries.get(ref.id)
  if (row === undefined) return 'no row'
  const newer = row.replay_epoch - ref.replayEpoch || row.attempt - ref.attempt
  if (newer > 0) return undefined
  if (newer < 0) return isTerminal(row.status) ? undefined : 'not claimed'
  if (store.isHeld(ref.id, { status: row.status, ...ref })) return undefined
  if (row.status === 'retrying') return retryOf(world, ref) ? undefined : 'no retry record'
  if (row.status === 'dead_lettered')
    return deadLettersOf(world, ref.id).length > 0 ? undefined : 'no dead letter'
  return isTerminal(row.status) ? undefined : row.status
}

/** Whether the dead letter of a record that nobody can read is on its topic, or kept until that takes it. */
function hasLetter(world: World, letters: string, { topic, partition, offset }: ConsumedRecord): boolean {
  const origin = `${topic}/${partition}/${offset}`
  if (world.store.held.has(recordIdFor(origin))) return true
  return recordsOf(world, letters).some(({ headers }) => headers[header.origin] === origin)
}

const deadLettersOf = (world: World, delivery: string) =>
  recordsOf(world, world.topics.deadLetters).filter(({ headers }) => headers['ce_id'] === delivery)

function retryOf(world: World, { id, attempt, replayEpoch }: AttemptRef): boolean {
  return world.topics.retries
    .flatMap(({ topic }) => recordsOf(world, topic))
    .some(
      ({ headers }) =>
        headers['ce_id'] === id &&
        headers[header.attempt] === String(attempt + 1) &&
        headers[header.replayEpoch] === String(replayEpoch),
    )
}

/** Whether everything accepted has ended and every record is committed. */
export function isSettled(world: World): boolean {
  const { cluster, store, topics } = world
  if (world.disturbed || store.held.size > 0) return false
  if (
    !acceptedOf(world).every(({ delivery }) => isTerminal(store.deliveries.get(delivery)?.status ?? 'queued'))
  )
    return false
  const read: [string, string[]][] = [
    [`${prefix}.planner`, [requestsTopic(prefix)]],
    [topics.group, [topics.main]],
    [topics.retryGroup, topics.retries.map(({ topic }) => topic)],
  ]
  return read.every(([group, names]) =>
    names
      .flatMap((name) => cluster.log.find(name)?.partitions ?? [])
      .every((partition) => {
        const last = partition.records.at(-1)
        return last === undefined || cluster.group(group).committed.get(partition) === last.offset + 1
      }),
  )
}

/** What must hold at the end, whatever crashed. Answers how many messages arrived twice, each with its cause. */
export function checkEnd(world: World, disturbed: boolean): { duplicates: number } {
  const { store, scenario, problems } = world
  let duplicates = 0
  for (const { delivery, to } of acceptedOf(world)) {
    const row = store.deliveries.get(delivery)
    const name = `${formatDeliveryId(delivery).slice(0, 10)} to ${to}`
    if (row === undefined || !isTerminal(row.status)) {
      problems.add(`not finished: ${name} is ${row?.status ?? 'unknown'}`)
      continue
    }
    const expected: DeliveryStatus[] = [scenario.ends[to] ?? scenario.ends['*']!]
    if (disturbed) expected.push(...(scenario.orElse ?? []))
    if (!expected.includes(row.status)) problems.add(`ended otherwise: ${name} is ${row.status}`)
    duplicates += checkSends(world, delivery, row.status, name)
    if (row.status === 'dead_lettered') {
      const letters = deadLettersOf(world, delivery)
      if (letters.length === 0) problems.add(`dead letter lost: ${name}`)
      const distinct = new Set(
        letters.map(({ headers }) => `${headers[header.replayEpoch] ?? 0} ${headers[header.reason]}`),
      )
      if (distinct.size > 1) problems.add(`dead letters disagree: ${name}`)
    }
  }
  checkOrder(world)
  if (scenario.poison) {
    for (const topic of [requestsDeadLettersTopic(prefix), world.topics.deadLetters])
      if (!recordsOf(world, topic).some(({ value }) => value?.equals(garbage)))
        problems.add(`poison lost: nothing on ${topic}`)
  }
  return { duplicates }
}

/** As often as it was said to be sent, or once more for every attempt of which nobody knows how it ended. */
function checkSends(world: World, delivery: string, status: DeliveryStatus, name: string): number {
  const { store, vendor, scenario, problems } = world
  const taken = vendor.sends.filter((send) => send.delivery === delivery && send.taken).length
  const sent = status === 'sent' ? 1 : 0
  if (scenario.idempotency === 'transaction') {
    const rows = vendor.inbox.filter((id) => id === delivery).length
    if (rows !== sent) problems.add(`not exactly once: ${rows} inbox rows of ${name}, which is ${status}`)
    return 0
  }
  // The vendor drops what comes again with the same key.
  const arrived = scenario.idempotency === 'key' ? Math.min(1, taken) : taken
  if (arrived < sent) problems.add(`said to be sent, and never taken: ${name}`)
  const unclear = store.attempts.filter(
    ({ delivery_id, outcome }) =>
      delivery_id === delivery && (outcome === 'interrupted' || outcome === 'maybe_sent'),
  ).length
  if (arrived > sent + unclear) problems.add(`unexplained duplicate: ${name} arrived ${arrived} times`)
  const held = scenario.channel.spec.delivery.onUnknown === 'Hold' && scenario.idempotency === 'none'
  if (held && arrived > 1) problems.add(`sent again in spite of Hold: ${name}`)
  return Math.max(0, arrived - 1)
}

/** First attempts of one recipient come in the order of acceptance. */
function checkOrder({ store, scenario, problems }: World): void {
  const accepted = acceptedOf({ scenario })
  for (const [to, deliveries] of Map.groupBy(accepted, (one) => one.to)) {
    const claimed = deliveries
      .map(({ delivery }) => store.attempts.findIndex(({ delivery_id }) => delivery_id === delivery))
      .filter((index) => index >= 0)
    if (claimed.some((index, position) => position > 0 && index < claimed[position - 1]!))
      problems.add(`out of order: first attempts for ${to}`)
  }
}
