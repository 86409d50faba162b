import type { Admin } from '../../core/broker/broker.ts'

export interface GroupLog {
  group: string
  topics: readonly string[]
}

/** Milliseconds: how closely the start of a log is found. */
const precision = 60_000

/**
 * Of records written between two points in time (milliseconds since the epoch), those that have left the log of these topics: answers the
 * latest point up to which nothing is left in any of them, `undefined` when there is still something from before the first point. Asks the
 * log itself, whatever its retention was meant to be. Rejects with a BrokerError when it cannot be read.
 */
export async function goneUntil(
  admin: Pick<Admin, 'lag' | 'offsetsAt'>,
  log: GroupLog,
  first: number,
  last: number,
): Promise<number | undefined> {
  const isGone = (timestamp: number) => isGoneBefore(admin, log, timestamp)
  if (!(await isGone(first))) return undefined
  if (await isGone(last)) return last
  let [gone, kept] = [first, last]
  while (kept - gone > precision) {
    const middle = Math.floor((gone + kept) / 2)
    if (await isGone(middle)) gone = middle
    else kept = middle
  }
  return gone
}

/**
 * Whether a group has finished all that was written to the topics before a point in time (milliseconds since the epoch). Rejects with a
 * BrokerError when it cannot be read.
 */
export async function hasFinished(
  admin: Pick<Admin, 'lag' | 'offsetsAt'>,
  { group, topics }: GroupLog,
  timestamp: number,
): Promise<boolean> {
  const positions = await admin.offsetsAt(topics.map((topic) => ({ topic, timestamp })))
  const lags = await admin.lag([{ group, topics }])
  const next = new Map(
    lags.map(({ topic, partition, beginning, committed }) => [
      `${topic}/${partition}`,
      Math.max(committed ?? beginning, beginning),
    ]),
  )
  return positions.every(
    ({ topic, partition, offset }) => offset <= (next.get(`${topic}/${partition}`) ?? -1),
  )
}

/** Whether all that is in the topics was written at this point in time or later. */
async function isGoneBefore(
  admin: Pick<Admin, 'lag' | 'offsetsAt'>,
  { group, topics }: GroupLog,
  timestamp: number,
): Promise<boolean> {
  const positions = await admin.offsetsAt(topics.map((topic) => ({ topic, timestamp })))
  // Read after the positions: a beginning only rises.
  const beginnings = await admin.lag([{ group, topics }])
  const byPartition = new Map(beginnings.map((lag) => [`${lag.topic}/${lag.partition}`, lag.beginning]))
  return positions.every(({ topic, partition, offset }) => {
    const beginning = byPartition.get(`${topic}/${partition}`)
    return beginning !== undefined && offset <= beginning
  })
}
