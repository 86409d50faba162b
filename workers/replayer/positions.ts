import { type Admin, BrokerError, type ConsumedRecord, partitionName } from '../../core/broker/broker.ts'
import type { ReplayPositions } from '../../core/notification/replay.ts'

/** Where the partitions of the topics begin and end now. A topic that does not exist has none. */
export async function readPositions(
  admin: Pick<Admin, 'lag'>,
  group: string,
  topics: readonly string[],
): Promise<ReplayPositions> {
  const lags = await Promise.all(
    topics.map((topic) =>
      admin.lag([{ group, topics: [topic] }]).catch((error: unknown) => {
        if (error instanceof BrokerError && error.code === 'unknown_topic') return []
        throw error
      }),
    ),
  )
  return Object.fromEntries(
    lags.flat().map((lag) => [partitionName(lag), { next: Math.min(lag.beginning, lag.end), end: lag.end }]),
  )
}

/** Whether a record is one of those that were there at the start and have not been looked at. */
export function isNext(positions: ReplayPositions, record: ConsumedRecord): boolean {
  const position = positions[partitionName(record)]
  return position !== undefined && record.offset >= position.next && record.offset < position.end
}

/** The positions after these records, which need not all be new. */
export function advance(positions: ReplayPositions, records: readonly ConsumedRecord[]): ReplayPositions {
  const result = { ...positions }
  for (const record of records) {
    const position = result[partitionName(record)]
    if (position !== undefined)
      result[partitionName(record)] = { ...position, next: Math.max(position.next, record.offset + 1) }
  }
  return result
}

/** The positions when what lies before `present` is no longer in the log: its retention has passed. */
export function withoutDropped(positions: ReplayPositions, present: ReplayPositions): ReplayPositions {
  return Object.fromEntries(
    Object.entries(positions).map(([name, position]) => {
      const beginning = present[name]?.next ?? position.end
      return [name, { ...position, next: Math.max(position.next, beginning) }]
    }),
  )
}

/** Whether all that was asked for has been read. */
export function isRead(positions: ReplayPositions): boolean {
  return Object.values(positions).every(({ next, end }) => next >= end)
}

/** The topics of which something is still to be read. */
export function unreadTopics(positions: ReplayPositions): string[] {
  const unread = Object.entries(positions).filter(([, { next, end }]) => next < end)
  return [...new Set(unread.map(([name]) => topicOf(name)))]
}

/** The positions on some of the topics. */
export function ofTopics(positions: ReplayPositions, has: (topic: string) => boolean): ReplayPositions {
  return Object.fromEntries(Object.entries(positions).filter(([name]) => has(topicOf(name))))
}

function topicOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/'))
}
